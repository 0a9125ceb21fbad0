// TLS on one port, plain on another behind it; counts on a third.
// Arguments: address, TLS port, plain port, port of the counts, folder.
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import tls from 'node:tls'

const [ip, front, back, counts, dir] = process.argv.slice(2)
const seen = { connections: 0, resumed: 0 }
const options = {
  key: fs.readFileSync(`${dir}/tls.key`),
  cert: fs.readFileSync(`${dir}/tls.pem`)
}
const server = tls.createServer(options, outside => {
  seen.connections++
  seen.resumed += outside.isSessionReused() ? 1 : 0
  const inside = net.connect(Number(back), ip)
  outside.pipe(inside).pipe(outside)
  outside.on('error', () => inside.destroy())
  inside.on('error', () => outside.destroy())
})
server.listen(Number(front), ip, () => console.error('ready'))
http.createServer((req, res) => res.end(JSON.stringify(seen)))
  .listen(Number(counts), ip)
process.on('SIGTERM', () => process.exit(0))
