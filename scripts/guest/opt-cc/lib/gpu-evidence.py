"""Evidence of NVIDIA's GPUs by NVIDIA's attestation SDK, for cc-attest.

Everything comes from the environment: CC_NONCE (hexadecimal), CC_VERIFY (not empty: appraise as well), CC_VERIFIER
(local or remote), CC_NRAS, CC_RIM, CC_OCSP (addresses), CC_ATTESTATION_TOKEN. One JSON object goes to file descriptor 3.
The SDK's own messages go to standard output, which cc-attest has turned to standard error. Exit status 0: evidence is
there, and verified where that was asked for.
"""

import json
import os
import sys


def mode_problem():
    """Why GPUs can give no evidence, as the driver says; None where they can, or where it does not say.

    The SDK only says that an error occurred. Names and numbers: nvmlSystemGetConfComputeState in NVIDIA's nvml.h.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
        state = pynvml.nvmlSystemGetConfComputeState()
        if state.ccFeature == pynvml.NVML_CC_SYSTEM_FEATURE_ENABLED:
            return None
        handles = [(index, pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
        names = [(index, pynvml.nvmlDeviceGetName(handle)) for index, handle in handles]
    except pynvml.NVMLError:
        return None
    listed = ", ".join(f"GPU {index} ({name.decode() if isinstance(name, bytes) else name})" for index, name in names)
    return f"confidential computing is off on {listed or 'every GPU'}"


def appraise(attestation, nonce):
    """What the configured verifier says of fresh evidence: whether all GPUs pass, and its claims."""
    local = os.environ["CC_VERIFIER"] != "remote"
    client = attestation.Attestation()
    client.clear_verifiers()
    client.set_name("cc-attest")
    client.set_nonce(nonce)
    if os.environ.get("CC_ATTESTATION_TOKEN"):
        client.set_service_key(os.environ["CC_ATTESTATION_TOKEN"])
    where = attestation.Environment.LOCAL if local else attestation.Environment.REMOTE
    url = "" if local else os.environ["CC_NRAS"].rstrip("/") + "/v3/attest/gpu"
    client.add_verifier(attestation.Devices.GPU, where, url, "", os.environ["CC_OCSP"], os.environ["CC_RIM"])
    passed = client.attest(client.get_evidence(options={"ppcie_mode": False})) is True
    return passed, client.get_token()


def main():
    """Write the result; tell by the exit status whether it is good."""
    nonce = os.environ["CC_NONCE"]
    result = {"status": "failed", "verified": None, "devices": []}
    try:
        problem = mode_problem()
        if problem is not None:
            raise RuntimeError(problem)
        from nv_attestation_sdk import attestation
        from verifier import cc_admin

        result["devices"] = cc_admin.collect_gpu_evidence_remote(nonce, ppcie_mode=False)
        result["status"] = "ok" if result["devices"] else "failed"
        if os.environ.get("CC_VERIFY"):
            result["verified"], result["claims"] = appraise(attestation, nonce)
    except Exception as error:  # Whatever goes wrong in there, there is no evidence.
        result["status"] = "failed"
        token = os.environ.get("CC_ATTESTATION_TOKEN") or "\0"
        what = str(error) if type(error) is RuntimeError else f"{type(error).__name__}: {error}"
        result["detail"] = what.replace(token, "...")[:300]
    with os.fdopen(3, "w") as out:
        json.dump(result, out)
    good = result["status"] == "ok" and (result["verified"] is True or not os.environ.get("CC_VERIFY"))
    sys.exit(0 if good else 1)


main()
