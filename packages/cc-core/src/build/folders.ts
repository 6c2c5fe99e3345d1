import {join} from 'node:path'

/** The folders of one stage below the work folder. */
export interface WorkFolders {
  root: string
  tree: string
  checkpoints: string
  /** A log file per step. */
  logs: string
  /** Intermediate files of opening an image. Secret. */
  open: string
  /** What the images of one build share, before it is encrypted. Secret while it is made. */
  prepared: string
}

/** @param workDir absolute path of the work folder, which all stages share */
export function workFolders(workDir: string, stage: string): WorkFolders {
  const root = join(workDir, stage)
  const folder = (name: string) => join(root, name)
  return {
    root,
    tree: folder('tree'),
    checkpoints: folder('checkpoints'),
    logs: folder('logs'),
    open: folder('open'),
    prepared: folder('prepared'),
  }
}
