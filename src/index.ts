/** What a configuration in TypeScript imports: `import { defineConfig } from 'evener'`. */
export { type ConfigurationInput, defineConfig } from './config/index.ts'
