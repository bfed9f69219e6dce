"""Clicks in a Kinesis stream, counted by hour."""

import json
import logging
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from threading import Lock

log = logging.getLogger("uvicorn.error")

HOUR = timedelta(hours=1)
LATE = timedelta(minutes=1)
PAUSE_SECONDS = 5


def hour_of(time):
    """Return the beginning of the hour."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Clicks:
    """Counts the clicks of a stream by hour, shard and product, and reports each hour when it is over.

    Each task reads all of the stream, from the beginning of the hour before it started. So all write the same reports
    under the same names, and it does not matter which of them is there.

    Args:
        stream: a client of Kinesis.
        name: name of the stream.
        report: keeps the counts (hour, shard, product -> clicks) of an hour that is over.
        now: returns the time.
    """

    def __init__(self, stream, name, report, now=lambda: datetime.now(UTC)):
        self.stream, self.name, self.report, self.now = stream, name, report, now
        self.start = hour_of(now()) - HOUR
        self.iterators, self.last, self.closed = {}, {}, set()
        self.counts = defaultdict(Counter)
        self.lock = Lock()

    def top(self, limit):
        """Return the products of this hour with the most clicks, and how many."""
        this_hour, found = hour_of(self.now()), Counter()
        with self.lock:
            for (hour, _), counts in self.counts.items():
                if hour == this_hour:
                    found.update(counts)
        return found.most_common(limit)

    def follow(self, stop):
        """Read the stream until ``stop`` is set."""
        while not stop.is_set():
            try:
                shards = list(self._shards())
            except Exception:
                log.exception("the stream failed")
                shards = []
            for shard in shards:
                try:
                    self.read(shard)
                except Exception:
                    # One that fails keeps no other back.
                    log.exception("shard %s failed", shard)
            stop.wait(PAUSE_SECONDS)

    def read(self, shard):
        """Read some records of a shard, and report the hours that are over in it."""
        if shard not in self.closed:
            # Without its iterator, which is gone if this fails, the next attempt goes on after the last record.
            iterator = self.iterators.pop(shard, None) or self._iterator(shard)
            answer = self.stream.get_records(ShardIterator=iterator)
            with self.lock:
                for record in answer["Records"]:
                    self._count(shard, record)
            until = self.now() - timedelta(milliseconds=answer["MillisBehindLatest"]) - LATE
            if "NextShardIterator" in answer:
                self.iterators[shard] = answer["NextShardIterator"]
            else:
                self.closed.add(shard)
        if shard in self.closed:
            until = self.now()
        for hour in [hour for hour, of_shard in self.counts if of_shard == shard and hour + HOUR <= until]:
            self.report(hour, shard, self.counts[hour, shard])
            with self.lock:
                del self.counts[hour, shard]

    def _count(self, shard, record):
        self.last[shard] = record["SequenceNumber"]
        try:
            product = json.loads(record["Data"])["product"]
        except (KeyError, TypeError, ValueError):
            log.warning("record %s is no click", record["SequenceNumber"])
        else:
            self.counts[hour_of(record["ApproximateArrivalTimestamp"]), shard][product] += 1

    def _shards(self):
        request = {"StreamName": self.name}
        while True:
            answer = self.stream.list_shards(**request)
            yield from (shard["ShardId"] for shard in answer["Shards"])
            if "NextToken" not in answer:
                return
            request = {"NextToken": answer["NextToken"]}

    def _iterator(self, shard):
        where = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self.last[shard]}
            if shard in self.last
            else {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self.start}
        )
        return self.stream.get_shard_iterator(StreamName=self.name, ShardId=shard, **where)["ShardIterator"]
