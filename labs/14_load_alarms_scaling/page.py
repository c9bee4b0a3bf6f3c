"""A page that costs something: every request is a millisecond or so of work for the CPU.

The health check has a port and a thread of its own. On the page's port it would wait in line behind the customers, and a task
that has much to do would be taken for a sick one.
"""

import asyncio
import hashlib
import http.server
import signal
import sys
import threading


async def customers(reader, writer):
    """Requests that come over one connection, one after another."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            seal = hashlib.pbkdf2_hmac("sha256", b"the price of today", b"salt", 4000).hex()  # the work
            status = "500 Broken" if head.split()[1] == b"/broken" else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(seal)}\r\n\r\n{seal}".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *what):
        pass


async def main():
    health = http.server.ThreadingHTTPServer(("", 8081), Health)
    threading.Thread(target=health.serve_forever, daemon=True).start()
    server = await asyncio.start_server(customers, "0.0.0.0", 8080, backlog=1024)
    await server.serve_forever()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
asyncio.run(main())
