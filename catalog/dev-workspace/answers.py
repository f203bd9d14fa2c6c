"""Whether the server at the first argument lets in who has the token in the file of the second."""

import sys
import urllib.request

with open(sys.argv[2]) as file:
    token = file.read().strip()
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "token " + token})
# No proxy: the server is on this machine.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    sys.exit(0 if opener.open(request, timeout=5).status == 200 else 1)
except OSError:
    sys.exit(1)
