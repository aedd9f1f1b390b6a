"""A small Hugging Face Hub for tests: one dataset repository, answers as the real one gives, and misbehaviour on demand.

    python3 server.py FOLDER

prints the ports of endpoint, CDN and a stranger, then serves on 127.0.0.1 until stdin closes. FOLDER/base and FOLDER/changed get the
plain files of the two commits. On the endpoint: /_set?KEY=VALUE&..., /_reset, /_log (a JSON line per request), /_clear, /_sha (both commits).

  only=TEXT             what follows happens only to paths with this text
  truncate=N reset=N    the next N bodies end in the middle, by FIN or RST         wrong=N       one byte is another one
  stall=S:N             silence of S seconds in the middle of N bodies             slow=MS       so long between pieces of `piece` bytes
  api= resolve= cdn=    CODE:N, N below 0 for ever; with retry_after, ratelimit, error_code, error_message, date_after
  html=N                200 with a web page instead of the file                    lie=N         the list says N bytes too many
  loop=1  repeat_link=1 link_out=1  ignore_range=1  range_416=N  bad_range=N  traversal=1  changed=1  token=TEXT (needed, else 401)
  evil=1..3             redirects to another port, another name of this host, a name behind an @        gzip=1 if it was not declined
"""
import gzip, hashlib, itertools, json, os, random, socket, struct, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

REPO = "org/tiny"
ODD = "odd/with space é/100% [a] #1+&.bin"
SIZES = {"energy/a/data-1-of-2.bin": 400000, "energy/a/data-2-of-2.bin": 150001, "energy/b/data-1-of-1.bin": 200000,
         "finance/x/data-1-of-1.bin": 100000, "healthcare/hospital/data-1-of-1.bin": 30000, "other/m4_daily/data-1-of-1.bin": 60000,
         "other/m4_daily2/data-1-of-1.bin": 1000, ODD: 5000}
LOCK = threading.Lock()
ENDPOINT, CDN, EVIL = "endpoint", "cdn", "evil"


class Blob:
    def __init__(self, data, lfs):
        self.data, self.lfs = data, lfs
        self.oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.sha256 = hashlib.sha256(data).hexdigest()


def make_files():
    rng = random.Random(42)
    files = {path: Blob(rng.randbytes(n), True) for path, n in SIZES.items()}
    for folder in {os.path.dirname(p) for p in SIZES}:
        names = {os.path.basename(p): b.data for p, b in files.items() if os.path.dirname(p) == folder}
        meta = {"num_sequences": 1, "dtype": "float32", "files": {n: len(d) // 4 for n, d in names.items()}}
        files[folder + "/meta.json"] = Blob(json.dumps(meta).encode(), False)
    files["README.md"] = Blob(b"# tiny\n", False)
    files[".gitattributes"] = Blob(b"*.bin filter=lfs diff=lfs merge=lfs -text\n", False)
    files["odd/empty.bin"] = Blob(b"", False)
    return files


def make_changed(files):
    rng = random.Random(43)
    new = dict(files)
    new["energy/a/data-1-of-2.bin"] = Blob(rng.randbytes(390000), True)
    new["energy/b/meta.json"] = Blob(b'{"num_sequences": 2}', False)
    return new


BASE = make_files()
COMMITS = {"1" * 39 + "a": BASE, "2" * 39 + "b": make_changed(BASE)}
SHA = list(COMMITS)
state, log, signed, numbers = {}, [], {}, itertools.count()
ports = {}


def setting(key, path=""):
    return state.get(key) if state.get("only", "") in path else None


def take(key, path=""):
    """Uses up one of N; a value CODE:N gives CODE (or a stall its seconds)."""
    with LOCK:
        value = setting(key, path)
        if value is None:
            return None
        code, _, count = value.rpartition(":")
        if int(count) == 0:
            return None
        if int(count) > 0:
            state[key] = (code + ":" if code else "") + str(int(count) - 1)
        return code or "1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):
            pass

    def send(self, code, headers=None, body=b"", kind="application/json"):
        self.send_response(code)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def note(self):
        with LOCK:
            log.append({"port": self.server.kind, "method": self.command, "path": unquote(self.path), "host": self.headers.get("Host"),
                        "auth": self.headers.get("Authorization"), "range": self.headers.get("Range"), "encoding": self.headers.get("Accept-Encoding")})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.startswith("/_"):
            return self.control(url)
        self.note()
        if url.path.startswith("/cdn/"):
            return self.signed_file(url)
        if self.server.kind != ENDPOINT:
            return self.send(404, body=b"{}")
        parts = url.path.split("/")
        owner = "/".join(parts[parts.index("datasets") + 1:][:2]) if "datasets" in parts else ""
        if unquote(owner) != REPO:
            return self.send(401, body=b'{"error": "Invalid username or password."}')
        if url.path.startswith("/api/resolve-cache/"):
            return self.cached(parts, url)
        if parts[1] == "api":
            return self.api(parts[5:], url)
        return self.resolve(parts[5], unquote("/".join(parts[6:])))

    def control(self, url):
        verb, body = url.path[2:], ""
        with LOCK:
            if verb == "set":
                state.update({k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()})
            elif verb == "reset":
                state.clear()
                log.clear()
            elif verb == "clear":
                log.clear()
            elif verb == "log":
                body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in log)
            elif verb == "sha":
                body = " ".join(SHA)
        self.close_connection = True
        self.send(200, {"Connection": "close"}, body.encode(), "text/plain")

    def refuse(self, where, path):
        """Says no if the tests want it so."""
        need = setting("token")
        if need and where != "cdn" and self.headers.get("Authorization") != "Bearer " + need:
            given = self.headers.get("Authorization")
            self.send(401, body=b'{"error": "%s"}' % (b"Invalid credentials in Authorization header" if given else b"Invalid username or password."))
            return True
        code = take(where, path)
        if not code:
            return False
        names = {"retry_after": "Retry-After", "ratelimit": "RateLimit", "error_code": "X-Error-Code", "error_message": "X-Error-Message"}
        headers = {names[k]: state[k] for k in names if k in state}
        if "date_after" in state:
            headers["Retry-After"] = self.date_time_string(time.time() + int(state["date_after"]))
        self.send(int(code), headers, b"<html><body>%s</body></html>" % code.encode(), "text/html")
        return True

    def commit(self, rev):
        if rev in COMMITS:
            return rev
        return SHA[1 if setting("changed") else 0] if rev == "main" else SHA[1] if rev == "refs/pr/1" else None

    def api(self, parts, url):
        if self.refuse("api", url.path):
            return None
        sha = self.commit(unquote(parts[1])) if len(parts) > 1 else None
        if not sha or (parts[0] == "tree" and parts[1] != sha):
            return self.send(404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}')
        if parts[0] == "revision":
            return self.send(200, body=json.dumps({"_id": "1", "id": REPO, "sha": sha}).encode())
        return self.tree(sha, unquote("/".join(parts[2:])), parse_qs(url.query))

    def tree(self, sha, under, query):
        rows = self.rows(COMMITS[sha], under)
        at, step = int(query.get("cursor", ["0"])[0]), 3
        headers = {}
        if at + step < len(rows):
            host = "http://127.0.0.1:%d" % ports[EVIL if setting("link_out") else ENDPOINT]
            to = 0 if setting("repeat_link") and at else at + step
            headers["Link"] = '<%s/x>; rel="first", <%s%s?recursive=true&expand=false&cursor=%d>; rel="next"' % (host, host, urlsplit(self.path).path, to)
        return self.send(200, headers, json.dumps(rows[at:at + step]).encode())

    def rows(self, files, under):
        paths = sorted(files)
        rows = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": d} for d in sorted({os.path.dirname(p) for p in paths} - {""})]
        for path in paths:
            b, lie = files[path], int(setting("lie", path) or 0)
            row = {"type": "file", "oid": b.oid, "size": len(b.data) + lie, "path": path, "lastCommit": None}
            if b.lfs:
                row["lfs"] = {"oid": b.sha256, "size": len(b.data) + lie, "pointerSize": 134}
                row["xetHash"] = "f" * 64
            rows.append(row)
        if "traversal" in state:
            b = files["README.md"]
            rows.insert(1, {"type": "file", "oid": b.oid, "size": len(b.data), "path": state["traversal"]})
        return [r for r in rows if not under or r["path"].startswith(under + "/")]

    def resolve(self, rev, path):
        sha = self.commit(unquote(rev))
        if self.refuse("resolve", path):
            return None
        blob = COMMITS.get(sha, {}).get(path) or (BASE["README.md"] if path == state.get("traversal") else None)
        if not blob:
            return self.send(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        if setting("loop", path):
            return self.send(302, {"Location": self.path})
        if not blob.lfs:
            tail = "datasets/%s/%s/%s?download=true&etag=%s" % (REPO, sha, quote(path), quote('"%s"' % blob.oid))
            return self.send(307, {"Location": "/api/resolve-cache/" + tail, "X-Repo-Commit": sha})
        headers = {"X-Repo-Commit": sha, "X-Linked-Size": str(len(blob.data)), "X-Linked-Etag": '"%s"' % blob.sha256, "X-Xet-Hash": "f" * 64,
                   "Location": self.signed_url(blob, path)}
        return self.send(302, headers, b"Found. Redirecting", "text/plain")

    def signed_url(self, blob, path):
        """Good for one request: whoever resumes has to ask the endpoint again."""
        with LOCK:
            key = "%08x" % next(numbers)
            signed[key] = (blob, path)
        tail = "cdn/%s?X-Amz-Expires=3600&X-Amz-Signature=%s&response-content-disposition=%s" % (blob.sha256, key, quote('inline; filename="a b"'))
        name = {None: "127.0.0.1:%d" % ports[CDN], "1": "127.0.0.1:%d" % ports[EVIL], "2": "localhost:%d" % ports[ENDPOINT],
                "3": "127.0.0.1:%d@localhost:%d" % (ports[ENDPOINT], ports[EVIL])}[setting("evil", path)]
        return "http://%s/%s" % (name, tail)

    def signed_file(self, url):
        with LOCK:
            blob, path = signed.pop(parse_qs(url.query).get("X-Amz-Signature", [""])[0], (None, None))
        if not blob:
            return self.send(403, body=b"<Error>SignatureError: invalid key pair id</Error>", kind="application/xml")
        if self.refuse("cdn", path):
            return None
        return self.body(blob, path, {"ETag": '"cdn-%s"' % blob.oid[:9]})

    def cached(self, parts, url):
        sha, path = parts[6], unquote("/".join(parts[7:]))
        blob = COMMITS[sha].get(path) or BASE["README.md"]
        if "etag" not in parse_qs(url.query):
            return self.send(400, body=b'{"error": "the query was lost"}')
        return self.body(blob, path, {"ETag": '"%s"' % blob.oid, "X-Repo-Commit": sha})

    def body(self, blob, path, headers):
        data, start, code = blob.data, 0, 200
        wanted = self.headers.get("Range")
        if take("html", path):
            return self.send(200, body=b"<html><body>please log in</body></html>", kind="text/html; charset=utf-8")
        if not blob.lfs and setting("gzip") and self.headers.get("Accept-Encoding") != "identity":
            return self.send(200, {**headers, "Content-Encoding": "gzip"}, gzip.compress(data))
        if wanted and not setting("ignore_range", path):
            start, code = int(wanted[6:].split("-")[0]), 206
            if start >= len(data) or take("range_416", path):
                return self.send(416, {"Content-Range": "bytes */%d" % len(data)})
            said = start + (7 if take("bad_range", path) else 0)
            headers["Content-Range"] = "bytes %d-%d/%d" % (said, len(data) - 1, len(data))
        data = data[start:]
        if data and take("wrong", path):
            at = len(data) // 2
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        self.send_response(code)
        for key, value in {**headers, "Content-Type": "application/octet-stream", "Content-Length": str(len(data)), "Accept-Ranges": "bytes"}.items():
            self.send_header(key, value)
        self.end_headers()
        return self.pour(data, path) if self.command != "HEAD" else None

    def pour(self, data, path):
        half = len(data) // 2
        cut, rst, stall = (take(k, path) if half else None for k in ("truncate", "reset", "stall"))
        end = half if cut or rst else len(data)
        piece = int(setting("piece") or 16384)
        for at in range(0, end, piece):
            if stall and at <= half < at + piece:
                time.sleep(float(stall))
            self.wfile.write(data[at:min(at + piece, end)])
            if setting("slow", path):
                time.sleep(float(state["slow"]) / 1000)
        if cut or rst:
            self.close_connection = True
        if rst:
            time.sleep(0.05)                    # what was sent should arrive before the reset throws it away
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, kind):
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind = kind
        ports[kind] = self.server_address[1]

    def server_bind(self):                      # the inherited one asks the name service who we are
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request, client_address):
        pass


def write_plain(folder):
    for name, files in zip(("base", "changed"), COMMITS.values()):
        for path, blob in files.items():
            to = os.path.join(folder, name, path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with open(to, "wb") as f:
                f.write(blob.data)


def main():
    write_plain(sys.argv[1])
    for kind in (ENDPOINT, CDN, EVIL):
        threading.Thread(target=Server(kind).serve_forever, daemon=True).start()
    print(ports[ENDPOINT], ports[CDN], ports[EVIL], flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
