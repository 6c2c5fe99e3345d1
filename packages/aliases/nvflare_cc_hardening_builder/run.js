#!/usr/bin/env node
// A bare npx looks for a package of the command's name; this one starts the program of the real package.
import 'cc-hardening-builder/bin/run.js'
