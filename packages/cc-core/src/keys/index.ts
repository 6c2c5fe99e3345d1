export {planKeys, resolveKeys} from './keys.js'
