import {createHash, createPrivateKey, createPublicKey, verify} from 'node:crypto'
import {readFile} from 'node:fs/promises'

import {CcError} from '../errors/index.js'

/** What an ID block and its authentication information say. Numbers as in the manifest: hexadecimal, lower case. */
export interface IdBlock {
  digest: string
  familyId: string
  imageId: string
  svn: number
  /** Guest policy, for example 0x30000. */
  policy: string
  /** SHA-384 of the public keys, as reports have them. */
  idKeyDigest: string
  authorKeyDigest: string
}

/** Places in ID_BLOCK and ID_AUTH: SEV-SNP firmware ABI, SNP_LAUNCH_FINISH, tables "ID Block" and "ID Authentication". */
const block = {
  digest: [0, 48],
  familyId: [48, 64],
  imageId: [64, 80],
  version: 80,
  svn: 84,
  policy: 88,
  bytes: 96,
} as const
const auth = {blockSignature: 64, idKey: 576, keySignature: 1664, authorKey: 2176, bytes: 4096} as const
/** A public key: curve, then the point. A signature: r, then s. Each number has 72 bytes, the last first. */
const [keyBytes, numberBytes, curveP384, p384Bytes] = [1028, 72, 2, 48]

/**
 * Read an ID block with its authentication information, and check both signatures: that of the block by the ID key, and
 * that of the ID key by the author key.
 * @param encoded both in base64
 * @throws Error that says what is wrong
 */
export function readIdBlock(encoded: {idBlock: string; idAuth: string}): IdBlock {
  const [said, by] = [Buffer.from(encoded.idBlock, 'base64'), Buffer.from(encoded.idAuth, 'base64')]
  if (said.length !== block.bytes) throw new Error(`an ID block of ${said.length} bytes, not ${block.bytes}`)
  if (by.length !== auth.bytes)
    throw new Error(`ID authentication information of ${by.length} bytes, not ${auth.bytes}`)
  const version = said.readUInt32LE(block.version)
  if (version !== 1) throw new Error(`an ID block of version ${version}, not 1`)
  const idKey = by.subarray(auth.idKey, auth.idKey + keyBytes)
  const authorKey = by.subarray(auth.authorKey, auth.authorKey + keyBytes)
  if (!isSigned(said, by.subarray(auth.blockSignature), idKey))
    throw new Error('the ID key has not signed the ID block')
  if (!isSigned(idKey, by.subarray(auth.keySignature), authorKey))
    throw new Error('the author key has not signed the ID key')
  return {
    digest: said.toString('hex', ...block.digest),
    familyId: said.toString('hex', ...block.familyId),
    imageId: said.toString('hex', ...block.imageId),
    svn: said.readUInt32LE(block.svn),
    policy: `0x${said.readBigUInt64LE(block.policy).toString(16)}`,
    idKeyDigest: sha384(idKey),
    authorKeyDigest: sha384(authorKey),
  }
}

/**
 * Check, before anything is built, that ID blocks can be signed with two keys.
 * @throws E_KEY for a key that cannot be read without a passphrase, that is on another curve, and for one key twice
 */
export async function checkSigningKeys(keys: {idKey: string; authorKey: string}): Promise<void> {
  const publicKeys = await Promise.all(
    (['idKey', 'authorKey'] as const).map((name) => signingKey(`launch.idBlock.${name}`, keys[name])),
  )
  if (publicKeys[0] === publicKeys[1])
    throw new CcError('E_KEY', `launch.idBlock: '${keys.idKey}' and '${keys.authorKey}' are the same key`, {
      suggestions: ['make a second one: the author key can stay offline, and vouches for one ID key after another'],
    })
}

/** The public part of a key that signs, as text. */
async function signingKey(key: string, file: string): Promise<string> {
  const suggestions = ['make one: (umask 077; openssl ecparam -name secp384r1 -genkey -noout -out FILE)']
  const text = await readFile(file)
  try {
    const secret = createPrivateKey(text)
    const curve = secret.asymmetricKeyDetails?.namedCurve ?? secret.asymmetricKeyType
    if (curve !== 'secp384r1')
      throw new CcError('E_KEY', `${key}: '${file}' is a key of the kind ${curve}, expected P-384`, {suggestions})
    return createPublicKey(secret).export({type: 'spki', format: 'pem'}).toString()
  } catch (error) {
    if (error instanceof CcError) throw error
    throw new CcError('E_KEY', `${key}: '${file}' is no private key that can be read without a passphrase`, {
      suggestions,
      reason: error,
    })
  }
}

/** Whether bytes are signed, with ECDSA and SHA-384, by a public key in the form of the firmware. */
function isSigned(bytes: Buffer, signature: Buffer, key: Buffer): boolean {
  if (key.readUInt32LE(0) !== curveP384)
    throw new Error(`a key on the curve ${key.readUInt32LE(0)}, not ${curveP384} (P-384)`)
  const [x, y] = [number(key, 4), number(key, 4 + numberBytes)].map((part) => part.toString('base64url'))
  const publicKey = createPublicKey({key: {kty: 'EC', crv: 'P-384', x: x ?? '', y: y ?? ''}, format: 'jwk'})
  const rs = Buffer.concat([number(signature, 0), number(signature, numberBytes)])
  return verify('sha384', bytes, {key: publicKey, dsaEncoding: 'ieee-p1363'}, rs)
}

/** A number of 384 bits, the first byte first. */
const number = (bytes: Buffer, offset: number) => Buffer.from(bytes.subarray(offset, offset + p384Bytes)).reverse()

const sha384 = (bytes: Buffer) => createHash('sha384').update(bytes).digest('hex')
