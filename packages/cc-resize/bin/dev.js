#!/usr/bin/env node
import 'cc-core/start'
import {execute} from '@oclif/core'

await execute({development: true, dir: import.meta.url})
