"""Makes `kafka.lock` anew: `python -m deploy.local.lock`, after a change of the versions below."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from jgo.maven import MavenContext

from deploy.local.jars import LOCK_FILE, parse_lock

# Kafka's server with its own StorageTool, and the log4j that the server is configured with.
# The "!" keeps an artifact from acting as a bill of materials for the others' versions.
ROOTS = (
    "org.apache.kafka:kafka_2.13:4.3.1!",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)


def resolve() -> str:
    """Resolve and download the artifacts, and return the text of the lock."""
    lines = []
    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(repo_cache=Path(cache), timeout=60)
        roots, transitive = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
        for dependency in (*roots, *transitive):
            artifact = dependency.artifact
            content = artifact.resolve().read_bytes()
            name = [artifact.groupId, artifact.artifactId, artifact.version]
            if artifact.classifier:
                name.append(artifact.classifier)
            lines.append(f"{':'.join(name)} {hashlib.sha256(content).hexdigest()} {len(content)}")
    head = "# Made by: python -m deploy.local.lock\n# group:artifact:version[:classifier] sha256 size\n"
    return head + "".join(f"{line}\n" for line in sorted(lines))


def main() -> None:
    text = resolve()
    jars = parse_lock(text)
    LOCK_FILE.write_text(text)
    print(f"{LOCK_FILE.name}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
