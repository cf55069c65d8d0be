import { engineSuite } from './engine.ts'

engineSuite({ kind: 'portable' })
