import {CcError} from '../errors/index.js'

/**
 * Texts without what is secret in their URLs. User and password, and the query, are replaced by `${CC_PIP_n}` and kept
 * as variables that the step reads from standard input: every user can read a command line, and a process shows its
 * environment to all processes of its user.
 */
export class Credentials {
  readonly variables: Record<string, string> = {}

  /**
   * The text with its credentials replaced; `${NAME}` in them is taken from our environment.
   * @throws E_CONFIG where such a variable is not set
   */
  hide(text: string): string {
    return text
      .replaceAll(/(?<=[a-z][a-z0-9+.-]*:\/\/)[^/\s?#]+(?=@)/gi, (secret) => this.#keep(secret))
      .replaceAll(/(?<=[a-z][a-z0-9+.-]*:\/\/[^\s?#]*\?)[^\s#]+/gi, (secret) => this.#keep(secret))
  }

  #keep(secret: string): string {
    // The user of every SSH address of a repository.
    if (secret === 'git') return secret
    const value = secret.replaceAll(variablePattern, (_, name: string) => variable(name))
    const known = Object.entries(this.variables).find(([, other]) => other === value)?.[0]
    const name = known ?? `CC_PIP_${Object.keys(this.variables).length + 1}`
    this.variables[name] = value
    return `\${${name}}`
  }
}

/** A variable as pip finds it in a requirements file. */
export const variablePattern = /\$\{([A-Z0-9_]+)\}/g

/**
 * A variable of our environment.
 * @throws E_CONFIG where it is not set
 */
export function variable(name: string): string {
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  throw new CcError('E_CONFIG', `the variable '${name}' is not set`, {suggestions: [`export ${name}=…`]})
}
