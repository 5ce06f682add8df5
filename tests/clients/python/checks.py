"""Checks are counted, so that a program that leaves some out is found."""

made = 0


def check(what, holds):
    global made
    made += 1
    if not holds:
        raise SystemExit(f"this does not hold: {what}")


def refused(what, errors, act):
    """The call fails in the way that is expected of it."""
    try:
        act()
    except errors:
        check(what, True)
    else:
        check(what, False)


def accepted(what, act):
    """The call of a second implementation, which raises if it finds a fault."""
    try:
        act()
    except Exception as why:
        raise SystemExit(f"this does not hold: {what}: {why!r}") from why
    check(what, True)


def finish():
    print(f"{made} checks")
