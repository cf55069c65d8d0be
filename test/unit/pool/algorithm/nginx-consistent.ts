/**
 * A trace recorded from nginx 1.22.1: `hash $arg_k consistent` over these servers, for the keys "key-0", "key-7", … "key-1393". Each
 * digit is the place of the server that answered.
 */
export const NGINX_SERVERS = [
  { address: '127.0.7.1:18081', weight: 1 },
  { address: '127.0.7.2:18081', weight: 3 },
  { address: '127.0.7.3:18081', weight: 2 },
  { address: '127.0.7.4:18082', weight: 1 },
] as const

export const NGINX_TRACE =
  '0121212011131002112231111102133301131021321223031203233112323011111120322121130212320121231112021111' +
  '2221010202112331111212210011011131122113211232132113122120101111301103221221201313131113213110211210'
