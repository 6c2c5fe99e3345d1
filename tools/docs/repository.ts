import {resolve} from 'node:path'

export const repository = resolve(import.meta.dirname, '../..')

/** A document that is made from the code: its path in the repository, and its text. */
export interface Document {
  path: string
  text: string
}
