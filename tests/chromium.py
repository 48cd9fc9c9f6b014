"""A headless Chromium that tests can ask, over pipes: no package and no port is needed."""

import fcntl
import json
import os
import shutil
import signal
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NEEDED = 'needs Chromium: apt-get install chromium'
"""Why a test of a page is skipped without one."""
PATIENCE = 120  # seconds that one browser may live: a hanging one must not hold the suite


class Browser:
    """One page of a Chromium of its own; everything that it logs or asks for is kept.

    Speaks Chromium's DevTools protocol: JSON messages, each ended by a zero byte, over file
    descriptors 3 and 4.
    """

    def __init__(self, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = [
            str(CHROMIUM), '--headless', '--no-sandbox', '--disable-gpu',
            '--remote-debugging-pipe', f'--user-data-dir={profile}', '--window-size=1280,900',
            'about:blank',
        ]  # fmt: skip
        # Above 4, so that putting one in its place does not close the other.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 5) for end in (to_browser, from_browser)]
        actions = [
            (os.POSIX_SPAWN_DUP2, ends[0], 3),
            (os.POSIX_SPAWN_DUP2, ends[1], 4),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        self._pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        self._end = threading.Timer(PATIENCE, os.kill, (self._pid, signal.SIGKILL))
        self._end.daemon = True
        self._end.start()
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self._answers = os.fdopen(self._in, 'rb')
        self._number, self._session = 0, ''
        self.events: list[dict[str, Any]] = []
        targets = self.call('Target.getTargets')['targetInfos']
        page = next(target['targetId'] for target in targets if target['type'] == 'page')
        attached = self.call('Target.attachToTarget', targetId=page, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.call(f'{domain}.enable')

    def __enter__(self) -> 'Browser':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._end.cancel()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._answers.close()
        os.close(self._out)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; its answer."""
        self._number += 1
        message = dict(id=self._number, method=method, params=params)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while (answer := self._read()).get('id') != self._number:
            self.events.append(answer)
        if 'error' in answer:
            raise RuntimeError(answer['error'])
        return answer['result']

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._answers.read(1)) != b'\0':
            if not byte:
                raise RuntimeError('Chromium ended')
            message += byte
        return json.loads(message)

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self.call('Page.navigate', url=url)
        while not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self.events.append(self._read())

    def run(self, script: str) -> Any:
        """The value of a script that may wait for promises."""
        answer = self.call(
            'Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True
        )
        if 'exceptionDetails' in answer:
            raise RuntimeError(answer['exceptionDetails']['exception'].get('description'))
        return answer['result'].get('value')

    def press(self, key: str, code: int, text: str = '') -> None:
        """A key of the keyboard."""
        common = dict(key=key, windowsVirtualKeyCode=code)
        self.call('Input.dispatchKeyEvent', type='keyDown', text=text, **common)
        self.call('Input.dispatchKeyEvent', type='keyUp', **common)

    def requested(self) -> list[str]:
        """Addresses that the page asked for."""
        return [
            event['params']['request']['url']
            for event in self.events
            if event['method'] == 'Network.requestWillBeSent'
        ]

    def complaints(self) -> list[str]:
        """Errors of scripts, of the content security policy and of loading; dialogs."""
        return [
            json.dumps(event['params'])
            for event in self.events
            if event['method'] in ('Runtime.exceptionThrown', 'Page.javascriptDialogOpening')
            or (
                event['method'] == 'Log.entryAdded'
                and event['params']['entry']['level'] == 'error'
            )
        ]
