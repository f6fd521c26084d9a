"""Asks moto_forks.py for a server: moto_fork.py SOCKET PORT. The server ends with this process."""

import socket
import sys

path, port = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
connection.sendall(f"{port}\n".encode())
connection.recv(1)
