"""The page that both services serve. It says who answers, and can be made to misbehave."""

import http.server
import json
import os
import signal
import sys
import time
import urllib.request

name, version = os.environ["NAME"], os.environ["VERSION"]
container = json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"]))
address = container["Networks"][0]["IPv4Addresses"][0]


class Page(http.server.BaseHTTPRequestHandler):
    sick = False

    def do_GET(self):
        path = self.path.removeprefix("/api")
        if path == "/sick":  # from now on this task fails its health check
            Page.sick = True
        if path == "/crash":  # hang up without an answer
            return self.connection.close()
        if path == "/slow":  # longer than the load balancer waits
            time.sleep(15)
        if path == "/second":
            time.sleep(1)
        status = 500 if Page.sick and path == "/health" else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(f"{name} {version} {address}".encode())

    def log_message(self, *what):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Page).serve_forever()
