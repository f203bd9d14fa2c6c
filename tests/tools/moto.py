"""moto, an emulator of AWS, on a free loopback port: says the port, and ends when its input does.

Its folder is the only argument: scripts/setup puts it there.
"""
import os
import sys
import threading

sys.path.insert(0, sys.argv[1])

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.server_port, flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.serve_forever()
