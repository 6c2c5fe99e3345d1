"""Evidence of NVIDIA's GPUs by NVIDIA's attestation SDK, for cc-attest.

Everything comes from the environment: CC_NONCE (hexadecimal), CC_VERIFY (not empty: appraise as well), CC_VERIFIER
(local or remote), CC_NRAS, CC_RIM, CC_OCSP (addresses), CC_ATTESTATION_TOKEN. One JSON object goes to file descriptor 3.
The SDK's own messages go to standard output, which cc-attest has turned to standard error. Exit status 0: evidence is
there, and verified where that was asked for.
"""

import json
import os
import sys


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
        from nv_attestation_sdk import attestation
        from verifier import cc_admin

        result["devices"] = cc_admin.collect_gpu_evidence_remote(nonce, ppcie_mode=False)
        result["status"] = "ok" if result["devices"] else "failed"
        if os.environ.get("CC_VERIFY"):
            result["verified"], result["claims"] = appraise(attestation, nonce)
    except Exception as error:  # Whatever goes wrong in there, there is no evidence.
        result["status"] = "failed"
        token = os.environ.get("CC_ATTESTATION_TOKEN") or "\0"
        result["detail"] = f"{type(error).__name__}: {error}".replace(token, "...")[:300]
    with os.fdopen(3, "w") as out:
        json.dump(result, out)
    good = result["status"] == "ok" and (result["verified"] is True or not os.environ.get("CC_VERIFY"))
    sys.exit(0 if good else 1)


main()
