"""How tasks are shown at the command line: in lines of at most 120 columns, and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from golden_records import held
from mdm.stewardship.tasks import Event, Task
from rules import registry

_HEAD = f"{'task':>8} s {'state':9} {'due':>6} {'age':>6}  {'kind':10} {'rule item':24} {'source':10} {'owner':18} who"
_EMPTY = "Nothing waits. 'mdm task list --state resolved' shows what was settled."


def told(value: Task | Event) -> dict[str, Any]:
    """Return a task or an event for a program, with no MPAN in its note."""
    return asdict(value) | {"note": None if value.note is None else held.without_mpan(value.note)}


def listed(tasks: Sequence[Task], now: datetime, *, limit: int) -> str:
    """Return a table of tasks."""
    if not tasks:
        return _EMPTY
    lines = [_HEAD, *(_line(task, now) for task in tasks)]
    if len(tasks) == limit:
        lines.append(f"These are the first {limit:,}; --limit shows more. 'mdm task show TASK' tells more of one.")
    return "\n".join(lines)


def _line(task: Task, now: datetime) -> str:
    about = task.item or task.item_group or task.entity or "-"
    where = f"{task.rule or '-'} {about}"
    due = "-" if task.is_closed else span(task.due_at - now)
    return (
        f"{task.task_id:>8} {task.severity:1} {task.state:9} {due:>6} {span(now - task.opened_at):>6}  {task.kind:10} "
        f"{where:24.24} {task.source or '-':10.10} {task.owner:18.18} {task.assignee or '-':.16}"
    )


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit; what lies behind has a minus."""
    seconds = length.total_seconds()
    sign = "-" if seconds < 0 else ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= size:
            return f"{sign}{abs(seconds) / size:.0f}{unit}"
    return f"{sign}{abs(seconds):.0f}s"


def whole(task: Task, said: Sequence[Mapping[str, Any]], history: Sequence[Event], now: datetime) -> str:
    """Return all that is known of a task."""
    rule = registry.RULES.get(task.rule or 0)
    facts = {
        "task": f"{task.task_id}, version {task.version}: {task.state}",
        "about": f"{task.kind} {task.subject_id}, severity {task.severity}",
        "item": " ".join(str(each) for each in (task.entity, task.golden_id, task.item_group, task.item) if each),
        "rule": f"{task.rule}{f', {rule.title}' if rule else ''}" if task.rule else None,
        "mend": rule.mend if rule else None,
        "owner": task.owner,
        "source": task.source,
        "assignee": _holder(task),
        "due": None if task.is_closed else f"{task.due_at:%Y-%m-%d %H:%M} UTC (in {span(task.due_at - now)})",
        "age": span(now - task.opened_at),
        "closed": task.closed_at and f"{task.closed_at:%Y-%m-%d %H:%M} UTC by {task.closed_by}: {task.outcome}",
    }
    lines = [f"{name:9} {value}" for name, value in facts.items() if value]
    return "\n".join([*lines, *_said(said), *_history(history)])


def _holder(task: Task) -> str | None:
    until = f", claimed until {task.claimed_until:%H:%M} UTC" if task.claimed_until else ""
    return None if task.assignee is None else f"{task.assignee}{until}"


def _said(said: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["", "what the systems say"] if said else []
    for each in said:
        mark = "*" if each["survives"] else " "
        at = f"{each['committed_at']:%Y-%m-%d %H:%M:%S}" if each["committed_at"] else "-"
        lines.append(
            f"{mark} {each['source']:10} {each['table'] or '-'} {each['key'] or ''} at {each['commit_lsn']}, {at}"
        )
        lines += [f"      {name:20} {'-' if value is None else value}" for name, value in each["items"].items()]
    return [*lines, "(* survives)"] if any(each["survives"] for each in said) else lines


def _history(history: Sequence[Event]) -> list[str]:
    lines = ["", "history"]
    for event in history:
        to = f" {event.assignee}" if event.assignee and event.assignee != event.by else ""
        note = f": {held.without_mpan(event.note)}" if event.note else ""
        lines.append(f"{event.version:>4} {event.at:%Y-%m-%d %H:%M} {event.by:12.12} {event.event}{to}{note}")
    return lines


def overview(told: Mapping[str, Any]) -> str:
    """Return the counts of an overview."""
    if not told["tasks"]:
        return _EMPTY
    lines = [f"{told['tasks']:,} tasks wait, {told['overdue']:,} of them overdue."]
    for name in ("state", "severity", "owner", "rule", "kind"):
        counts = [f"{key} {count:,}" for key, count in told[f"by_{name}"].items()]
        lines.append(f"{name:9} {', '.join(counts)}")
    return "\n".join(lines)


def changed(task: Task) -> str:
    """Return what a task is after a change."""
    holder = f" by {_holder(task)}" if task.assignee and not task.is_closed else ""
    return f"Task {task.task_id} is {task.state}{holder} (version {task.version})."
