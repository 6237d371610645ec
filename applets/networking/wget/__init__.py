"""wget [-46cNqSv] [-O FILE] [-P FOLDER] [-T SECONDS] [-t N] [-U AGENT] [URL]...

Fetch URLs by HTTP and HTTPS into files.

  -O, --output-document=FILE  everything into FILE (-: standard output)
  -P, --directory-prefix=FOLDER  files go there
  -c, --continue       go on with a file that is there already
  -N, --timestamping   only what is newer than the file that is there
  -n LETTERS           -nv: short messages; -nc: leave files that are there; -nd, -nH: nothing
      --no-clobber     the same as -nc
  -q, --quiet          no messages
  -v, --verbose        all messages (usual)
      --no-verbose     short messages
  -o, --output-file=FILE  messages into FILE
  -a, --append-output=FILE  messages to the end of FILE
  -S, --server-response  show the headers of answers
      --save-headers   write them before the data
      --show-progress  the bar even with -q or -nv
      --progress=TYPE  bar, dot, or none
  -i, --input-file=FILE  URLs from FILE, one a line (- for standard input)
  -T, --timeout=SECONDS  give up when nothing comes for so long (900)
      --connect-timeout=SECONDS  when a connection takes longer
      --read-timeout=SECONDS  when the server is silent longer
      --dns-timeout=SECONDS  when a name takes longer to look up
  -t, --tries=N        so often (20; 0: for ever)
  -w, --wait=SECONDS   between two URLs
      --waitretry=SECONDS  at most so long between two tries (10)
      --retry-connrefused  try again even though nobody listens
      --retry-on-http-error=CODES  try again on these, separated by commas
      --limit-rate=N   at most so many bytes a second
      --spider         only look whether it is there
  -U, --user-agent=AGENT
      --header=HEADER...  `Name: value`; an empty value takes one of ours away
      --referer=URL
      --method=METHOD
      --post-data=DATA
      --post-file=FILE
      --body-data=DATA
      --body-file=FILE
      --user=USER
      --password=PASSWORD
      --http-user=USER
      --http-password=PASSWORD
      --auth-no-challenge  send them without being asked
      --max-redirect=N  follow at most so many (20)
      --content-disposition  take the name that the server says
      --trust-server-names  take the name of the last redirection
      --content-on-error  keep what comes with an error
      --no-use-server-timestamps  files get the present time
      --no-cache       not from a proxy's memory
      --no-proxy       without a proxy
  -Y, --proxy=SWITCH   on or off
      --no-check-certificate  believe any server
      --ca-certificate=FILE  authorities to believe
      --ca-directory=FOLDER  the same, in a folder of hashed names
      --certificate=FILE  who we are
      --private-key=FILE
      --https-only     refuse http
      --no-hsts        nothing
      --compression=TYPE  nothing
      --secure-protocol=NAME  nothing
      --bind-address=ADDRESS  from this address of ours
  -4, --inet4-only
  -6, --inet6-only

$http_proxy, $https_proxy and $no_proxy name proxies.
Status 1: other; 2: usage; 3: files; 4: network; 5: TLS; 6: login; 7: protocol; 8: server says no.
"""

from __future__ import annotations

import os

from applets.networking.wget.client import Client
from applets.networking.wget.log import Log
from applets.networking.wget.output import FILE_TROUBLE
from toolbox import waits
from toolbox.errors import Fatal, UsageError
from toolbox.options import Options

options = Options(__doc__, trouble=2)


def main(argv: list[str]) -> int:
    opt, urls = options.parse(argv)
    log = Log(opt)
    for text in (opt.user_agent, opt.referer, opt.method):
        if text is not None and not text.isprintable():
            raise UsageError(f"a header cannot hold {text!r}")
    if opt.input_file is not None:
        urls = [*urls, *_read_urls(opt.input_file)]
    if not urls:
        raise UsageError("missing URL")
    client = Client(opt, log)
    status = 0
    for i, text in enumerate(urls):
        if i and opt.wait:
            waits.sleep(opt.wait)
        try:
            found = client.get(text)
        except Fatal as error:
            log.error(str(error))
            found = error.status
        # The lowest of the statuses that are not 0 and 1 (wget(1), EXIT STATUS).
        status = found if not status else min(status, found) if found else status
    client.close()
    log.close()
    return status


def _read_urls(path: str) -> list[str]:
    from toolbox.streams import open_input

    source = open_input(path, FILE_TROUBLE)
    if source is None:
        raise Fatal(f"{path}: No URLs found.", FILE_TROUBLE)
    with source:
        lines = [os.fsdecode(line).strip() for line in source.lines()]
    return [line for line in lines if line and not line.startswith("#")]
