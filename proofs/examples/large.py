"""Write a history of so many messages that all go the usual way, 6 events each: python3 large.py MESSAGES > large.jsonl"""

import sys

write = sys.stdout.write
write('{"format":"delivery-history","version":1}\n')
at = 0
for message in range(1, int(sys.argv[1]) + 1):
    position = message - 1
    for process, rest in [
        ("producer-0", f'"event":"submit","message":{message}'),
        ("producer-0", f'"event":"attempt","message":{message},"attempt":1'),
        ("producer-0", f'"event":"outcome","message":{message},"attempt":1,"outcome":"acked","position":{position}'),
        ("consumer-0", f'"event":"deliver","message":{message},"group":"inventory","position":{position},"delivery":1'),
        ("consumer-0", f'"event":"effect","message":{message},"group":"inventory"'),
        ("consumer-0", f'"event":"settle","message":{message},"group":"inventory","position":{position},"outcome":"ok"'),
    ]:
        at += 1
        write(f'{{"at":{at},"process":"{process}",{rest}}}\n')
write(f'{{"at":{at + 1},"process":"faults","event":"quiescent"}}\n')
