"""Train, kill and resume, many times, in a process that has imported everything: it only forks.

``python killed_runs.py PLANS.json``: a list of ``{"folder", "kill", "tool"}``. Each is trained
twice: killed as ``kill`` says (``null``: once, to its end), then resumed.
"""

import contextlib
import json
import os
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

import torch
from toy_runs import toy_runner

from mmomni.engine.hooks import SafeCheckpointHook


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_call(function, target, when, count):
    """Before or after the so manieth call of a function of ``os`` that has a file of this name."""
    true, seen = getattr(os, function), [0]

    def dying(*paths, **options):
        seen[0] += Path(paths[-1]).name == target
        now = seen[0] == count and Path(paths[-1]).name == target
        if now and when == 'before':
            die()
        answer = true(*paths, **options)
        if now:
            die()
        return answer

    setattr(os, function, dying)


def die_at_byte(number, save):
    """While a checkpoint is written: the kernel ends the process that wants to write more."""
    seen = [0]

    def before_save_checkpoint(self, runner, checkpoint):
        seen[0] += 1
        if seen[0] == save:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))

    SafeCheckpointHook.before_save_checkpoint = before_save_checkpoint


def train(plan, resume):
    if plan.get('tool'):
        arguments = [plan['tool'], *plan['arguments'], '--work-dir', plan['folder']]
        sys.argv = arguments + (['--resume'] if resume else [])
        runpy.run_path(plan['tool'], run_name='__main__')
    else:
        toy_runner(plan['folder'], resume=resume, **plan.get('changes', {})).train()


def start(plan, kill=None, resume=False):
    """The number of a new process, which has a group of its own with all that it starts."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    code = 1
    try:
        with open(f'{plan["folder"]}.log', 'ab') as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if kill and kill['at'] == 'byte':
            die_at_byte(kill['byte'], kill['save'])
        elif kill and kill['at'] != 'time':
            die_at_call(kill['at'], kill['target'], kill['when'], kill.get('count', 1))
        train(plan, resume)
        Path(f'{plan["folder"]}.modules.json').write_text(json.dumps(list(sys.modules)))
        code = 0
    except SystemExit as error:
        code = 1 if error.code else 0
    except BaseException:  # noqa: BLE001  (the parent's code must not go on here)
        traceback.print_exc()
    finally:
        os._exit(code)


def wait(child):
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # workers that outlived it
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main():
    torch.set_num_threads(1)
    plans = json.loads(Path(sys.argv[1]).read_text())
    torch.optim.AdamW([torch.zeros(1)])  # imports much at the first time
    whole_took = 0.0
    for plan in plans:
        kill, began = plan['kill'], time.monotonic()
        codes = [wait(start(plan, kill)) if not is_timed(kill) else end_after(plan, whole_took)]
        if kill is None:
            whole_took = time.monotonic() - began
            import_as_there(plan)
        else:
            left = sorted(path.name for path in Path(plan['folder']).glob('*.p*'))
            codes.append(wait(start(plan, resume=True)))
            Path(f'{plan["folder"]}.left.json').write_text(json.dumps(left))
        sys.stdout.write(json.dumps([plan['folder'], codes]) + '\n')
        sys.stdout.flush()


def is_timed(kill):
    return bool(kill) and kill['at'] == 'time'


def end_after(plan, whole_took):
    """Kill at a share of the time that a whole run took; earlier, if this one was faster."""
    seconds = whole_took * plan['kill']['fraction']
    while True:
        child = start(plan)
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if (code := wait(child)) < 0:
            return code
        shutil.rmtree(plan['folder'])
        seconds /= 2


def import_as_there(plan):
    """What a run imported is there in all that are forked from now on."""
    for name in json.loads(Path(f'{plan["folder"]}.modules.json').read_text()):
        with contextlib.suppress(Exception), contextlib.redirect_stdout(sys.stderr):
            import_module(name)


if __name__ == '__main__':
    main()
