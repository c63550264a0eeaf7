/** Prints the traces of this Node as one line of JSON. */
import { simulate } from 'holdfast/testing'
import { traces } from './worlds.mjs'

process.stdout.write(JSON.stringify(await traces(simulate)))
