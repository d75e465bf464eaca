"""Print the feeling as it changes: `page_client.py ADDRESS`, an address that `kelly-live --ui` prints."""

import json
import sys
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

if len(sys.argv) != 2:
    sys.exit("usage: page_client.py ADDRESS")
address = urlsplit(sys.argv[1])
last = None
try:
    with connect(f"ws://{address.netloc}/api?{address.query}") as socket:
        for text in socket:
            message = json.loads(text)
            if message["type"] != "state" or message["played"]["name"] == last:
                continue
            last = message["played"]["name"]
            print(f"bar {message['music']['bar']}: {last} at {message['music']['bpm']:.0f} BPM", flush=True)
except (OSError, WebSocketException) as error:
    sys.exit(f"no session at {sys.argv[1]} ({error}); give the whole address that kelly-live --ui prints")
