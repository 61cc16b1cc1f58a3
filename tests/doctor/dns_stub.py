"""A DNS server on loopback that knows a few text records, and can be told to fail."""

import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@contextmanager
def serve_texts(records: Mapping[str, Sequence[str]], *, fails: bool = False) -> Iterator[tuple[str, int]]:
    """Serve these records by name; yields the address to ask."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            asked = dns.message.from_wire(data)
            reply = dns.message.make_response(asked)
            reply.flags |= dns.flags.AA | dns.flags.RA
            name = asked.question[0].name
            texts = records.get(name.to_text(omit_final_dot=True).lower())
            if fails:
                reply.set_rcode(dns.rcode.SERVFAIL)
            elif texts is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            elif texts:
                # A text longer than 255 bytes is made of several.
                quoted = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in texts]
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *quoted))
            sock.sendto(reply.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ("127.0.0.1", server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
