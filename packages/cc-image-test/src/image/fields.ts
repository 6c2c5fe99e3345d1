import type {z} from 'zod'

/**
 * What of a report in JSON has the form that it has to have, field by field: one that is malformed says nothing about
 * the others.
 * @returns nothing for a text that is no JSON object
 */
export function validFields<Schema extends z.ZodObject>(schema: Schema, text: string): Partial<z.output<Schema>> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof json !== 'object' || json === null) return {}
  const shape = schema.shape as unknown as Record<string, z.ZodType>
  const fields = Object.entries(shape).flatMap(([name, field]) => {
    const result = field.safeParse((json as Record<string, unknown>)[name])
    return result.success ? [[name, result.data]] : []
  })
  return Object.fromEntries(fields) as Partial<z.output<Schema>>
}
