// Runs the server of bittorrent-tracker on a free port of 127.0.0.1. Its own program also loads what WebRTC needs, and
// that must be compiled.
import { pathToFileURL } from 'node:url'

const { default: Server } = await import(pathToFileURL(process.argv[1]))
const server = new Server({ http: true, udp: false, ws: true, stats: false })
server.on('error', err => console.error(err.message))
server.on('warning', err => console.log('warning', err.message))
server.listen(0, { http: '127.0.0.1' }, () => console.log('listening', server.http.address().port))
