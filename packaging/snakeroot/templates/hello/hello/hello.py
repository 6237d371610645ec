"""A web page with the box's own address as a QR code: change it, and run again."""

import os
import socket
import sys
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import segno

PORT = 8000


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        address = f"http://{self.headers.get('Host', 'localhost')}{self.path}"
        code = segno.make(address).svg_inline(scale=6)
        body = f"""<!doctype html><title>hello</title>
<body style="font: 1.2rem system-ui; display: grid; place-items: center; min-height: 90vh">
<main style="text-align: center"><h1>{escape(os.environ.get("GREETING", "Hello"))}</h1>
<p>{escape(socket.gethostname())}, Python {escape(sys.version.split()[0])}</p>{code}
<p><a href="{escape(address)}">{escape(address)}</a></p></main>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print(f"hello: listening on port {PORT}")
    ThreadingHTTPServer(("", PORT), Page).serve_forever()
