"""A door to a cloud that is encrypted as AWS's endpoints are, with a certificate that its own authority has signed.

Takes the cloud's port and where to write the authority's certificate.
"""

import asyncio
import base64
import sys
from pathlib import Path

from bedplate_cloud.kubernetes_server import certificate_authority, server_context


async def main(port: int, authority: Path) -> None:
    """Pass everything through until the process ends."""

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
        writer.close()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(through(reader, inside[1]), through(inside[0], writer), return_exceptions=True)

    authority.write_bytes(base64.b64decode(certificate_authority()))
    door = await asyncio.start_server(enter, "127.0.0.1", 0, ssl=server_context())
    print(f"door open: https://127.0.0.1:{door.sockets[0].getsockname()[1]}", flush=True)
    await door.serve_forever()


asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
