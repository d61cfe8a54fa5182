"""Judge a history on Apache Spark: each partition judges its messages, and one command joins the judgements.

    spark-submit judge.py HISTORY PARTS_FOLDER [--parts N] [--master URL] [--delivery PATH]
    delivery judge --merge PARTS_FOLDER/part-*

The lines are numbered as they stand in the file. A line about a message goes to the partition of that message, a line
about none (a fault, a rewind, the end) to every partition. Within a partition lines stay in order, and `pipe` hands them
to `delivery judge --partial`. The joined judgement has the same bytes as that of the whole file in one pass.
"""

import argparse
import json
import pathlib
import zlib

from pyspark.sql import SparkSession


def partitions_of(line, number, parts):
    """The partitions that need this line. The header, which is line 1, has no message either."""
    message = json.loads(line).get("message") if number > 1 else None
    if message is None:
        return range(parts)
    # A hash that is the same in every worker's process, and tells 7 from "7".
    return [zlib.crc32(json.dumps(message).encode()) % parts]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("history")
    parser.add_argument("folder", help="a new folder for the partial judgements")
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--master", default="local-cluster[2,1,1024]", help="the default: two workers on this machine")
    parser.add_argument("--delivery", default="delivery", help="the command, where workers find it")
    arguments = parser.parse_args()
    parts, name = arguments.parts, pathlib.Path(arguments.history).stem

    spark = SparkSession.builder.master(arguments.master).appName(f"judge {name}").getOrCreate()
    lines = spark.sparkContext.textFile(arguments.history)
    numbered = lines.zipWithIndex().map(lambda it: (it[0], it[1] + 1))
    keyed = numbered.flatMap(
        lambda it: [((part, it[1]), f"{it[1]}\t{it[0]}") for part in partitions_of(it[0], it[1], parts)]
    )
    sorted_parts = keyed.repartitionAndSortWithinPartitions(parts, lambda key: key[0]).values()
    command = f"{arguments.delivery} judge --partial --numbered --name {name} -"
    sorted_parts.pipe(command, checkCode=True).saveAsTextFile(arguments.folder)
    spark.stop()


if __name__ == "__main__":
    main()
