"""moto's server, one request at a time, and without what makes it slow.

moto serves every request in a thread of its own, and checks DynamoDB's conditions before it writes
without a lock: under load two writers may both win, which DynamoDB never lets happen. And Python
runs one thread at a time anyway: many that take turns are slower than one after the other.

What made it slow, and is not missed: a line of log for every request; the folder of its services, a
hundred and fifty, listed up to twice for each; all messages of a queue counted for each that is
received, to tell whether it is older than some days.
"""

import logging
import threading

import moto.backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main
from moto.sqs.models import Queue, SQSBackend

turn = threading.Lock()
answer = DomainDispatcherApplication.__call__
wait_for_messages = Queue.wait_for_messages
services = frozenset(moto.backends.list_of_moto_modules())


def answer_in_turn(application, environ, start_response):
    with turn:
        return answer(application, environ, start_response)


def wait_while_others_have_their_turn(queue, timeout):
    turn.release()
    try:
        return wait_for_messages(queue, timeout)
    finally:
        turn.acquire()


DomainDispatcherApplication.__call__ = answer_in_turn
Queue.wait_for_messages = wait_while_others_have_their_turn

logging.getLogger("werkzeug").setLevel(logging.ERROR)
moto.backends.list_of_moto_modules = lambda: services
SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True

main()
