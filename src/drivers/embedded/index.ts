export {
  type EmbeddedDurability,
  type EmbeddedOptions,
  type EmbeddedStores,
  embedded,
} from './embedded.ts'
