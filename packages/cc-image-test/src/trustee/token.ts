import {generateKeyPairSync, sign} from 'node:crypto'

/**
 * A token that looks like one of an attestation service, and is signed by a key that it brings with it. A broker that
 * accepts it has insecure_header_jwk = true: then anyone can have whatever claims they like.
 * @param claims as the policy of the broker sees them
 */
export function selfSignedToken(claims: Readonly<Record<string, unknown>>, now = Date.now()): string {
  const {privateKey, publicKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'})
  const {x, y} = publicKey.export({format: 'jwk'})
  // What is released is encrypted for a key that nobody has: only whether it is released counts.
  const receiver = generateKeyPairSync('ec', {namedCurve: 'P-256'}).publicKey.export({format: 'jwk'})
  const seconds = Math.floor(now / 1000)
  const header = {typ: 'JWT', alg: 'ES256', jwk: {kty: 'EC', crv: 'P-256', alg: 'ES256', x, y}}
  const body = {
    ...{
      eat_profile: 'tag:github.com,2024:confidential-containers/Trustee',
      iss: 'self',
      iat: seconds,
      exp: seconds + 300,
    },
    ...claims,
    'tee-pubkey': {kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW', x: receiver.x, y: receiver.y},
  }
  const signed = [header, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(signed), {key: privateKey, dsaEncoding: 'ieee-p1363'})
  return `${signed}.${signature.toString('base64url')}`
}
