"""ID block and ID authentication information of AMD SEV-SNP launches, with the library of virtee's sev-snp-measure.

    id_block.py ID_KEY AUTHOR_KEY POLICY SVN FAMILY_ID IMAGE_ID DIGEST...

Prints a line for each launch digest: ID block and authentication information, both in base64. The library's own
program knows one policy and one SVN only; its structures and its signing know any.
"""

import base64
import sys

from sevsnpmeasure import id_block


def key_parts(path):
    """The private key in a file, and its public part as the firmware reads it."""
    try:
        key = id_block.load_private_key_from_pem_file(path)
        return key, id_block.marshal_ec_public_key(key)
    except (ValueError, TypeError) as error:
        sys.exit(f"{path}: {error}")


def main():
    """Sign one block for each digest."""
    id_file, author_file, policy, svn, family, image, *digests = sys.argv[1:]
    id_key, id_public = key_parts(id_file)
    author_key, author_public = key_parts(author_file)
    for digest in digests:
        block = id_block.IdBlock(
            launch_digest=id_block.LaunchDigest.from_buffer_copy(bytes.fromhex(digest)),
            version=id_block.DefaultVersion,
            policy=int(policy, 16),
        )
        # As bytes: a field of the kind c_char loses what follows a zero when it is read, not when it is copied.
        raw = bytearray(bytes(block))
        raw[48:80] = bytes.fromhex(family) + bytes.fromhex(image)
        raw[84:88] = int(svn).to_bytes(4, "little")
        auth = id_block.IdAuth(
            id_key_algo=id_block.DefaultKeyAlgo,
            auth_key_algo=id_block.DefaultKeyAlgo,
            block_sig=id_block.ECSignature.from_buffer_copy(id_block.sign_in_snp_format(id_key, bytes(raw))),
            id_key=id_block.ECPubKey.from_buffer_copy(id_public),
            id_key_sig=id_block.ECSignature.from_buffer_copy(id_block.sign_in_snp_format(author_key, id_public)),
            author_key=id_block.ECPubKey.from_buffer_copy(author_public),
        )
        print(base64.b64encode(raw).decode(), base64.b64encode(bytes(auth)).decode())


main()
