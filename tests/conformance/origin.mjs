// The suite's origin on one address: its own handlers, but not its own
// server.mjs, which listens on every interface.
//
//   node origin.mjs SUITE ADDRESS PORT
import http from 'node:http'

const [suite, address, port] = process.argv.slice(2)
const handlers = {}
for (const name of ['config', 'test', 'state']) {
  const module = await import(`${suite}/server/handle-${name}.mjs`)
  handlers[name] = module.default
}

const server = http.createServer((request, response) => {
  // A body with a coding of the case's own ends with the connection.
  response.on('finish', () => {
    if (response.hasHeader('transfer-encoding')) request.socket.end()
  })
  const [name, ...rest] = new URL(request.url, 'http://origin/').pathname
    .slice(1).split('/')
  if (name in handlers) {
    handlers[name](rest, request, response)
  } else {
    response.writeHead(404)
    response.end()
  }
})
// Else idle connections are closed after 5 s, now and then just as a request that
// must not be sent twice is on its way, and its case does not run.
server.keepAliveTimeout = 0
server.listen(Number(port), address)
