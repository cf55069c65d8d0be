import { z } from 'zod'
import { fieldValue, options } from '../../../schema/index.ts'
import { directShape, tlsRules } from './tls.ts'

export const grpcOptions = options({
  service: z
    .string()
    .max(256)
    .regex(/^[!-~]*$/, 'a service name has no spaces')
    .default('')
    .describe('Service to ask about; the server as a whole without this.')
    .meta({ examples: ['shop.v1.Cart'] }),
  host: fieldValue.optional().describe("Value of :authority; the server's address without this."),
  ...directShape,
}).check(tlsRules)
