"""Processes that share memory: what they compute, and that all is gone at the end."""

import mmap
import multiprocessing as mp
import os
import struct
import sys
import zlib
from multiprocessing import shared_memory

SIZE = 1 << 18
PARTS = 8


def fill(name, part):
    """Writes one part of the segment, and tells its checksum."""
    segment = shared_memory.SharedMemory(name=name)
    try:
        step = SIZE // PARTS
        seed = part * 2654435761 % (1 << 32)
        block = struct.pack("<4I", seed, seed ^ 0xFFFFFFFF, part, step)
        segment.buf[part * step : (part + 1) * step] = block * (step // len(block))
        return part, zlib.crc32(segment.buf[part * step : (part + 1) * step])
    finally:
        segment.close()


def pool_fills_a_segment():
    segment = shared_memory.SharedMemory(create=True, size=SIZE)
    try:
        with mp.Pool(4) as pool:
            sums = pool.starmap(fill, [(segment.name, part) for part in range(PARTS)])
        step = SIZE // PARTS
        for part, crc in sums:
            print("part", part, f"{crc:08x}", crc == zlib.crc32(segment.buf[part * step : (part + 1) * step]))
        print("whole", f"{zlib.crc32(segment.buf):08x}", "size", segment.size)
    finally:
        segment.close()
        segment.unlink()
    try:
        shared_memory.SharedMemory(name=segment.name)
        print("still there")
    except FileNotFoundError:
        print("gone")


def add(counter, array, times):
    for _ in range(times):
        with counter.get_lock():
            counter.value += 1
    with array.get_lock():
        for index in range(len(array)):
            array[index] += times


def workers_count_together():
    counter = mp.Value("q", 0)
    array = mp.Array("d", 64)
    workers = [mp.Process(target=add, args=(counter, array, 50 + n)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("counter", counter.value, "array", sum(array), "exits", [w.exitcode for w in workers])


def produce(queue, n, done):
    for number in range(n, 200, 3):
        queue.put((n, number, bytes([number]) * 300))
    done.put(n)


def queues_carry_everything():
    queue, done = mp.Queue(), mp.SimpleQueue()
    makers = [mp.Process(target=produce, args=(queue, n, done)) for n in range(3)]
    for maker in makers:
        maker.start()
    got = sorted(queue.get() for _ in range(200))
    for maker in makers:
        maker.join()
    print("queue", len(got), all(data == bytes([number]) * 300 for _, number, data in got))
    print("done", sorted(done.get() for _ in range(3)))


def wait_for_turn(condition, turn, mine, out):
    with condition:
        condition.wait_for(lambda: turn.value == mine)
        out.send(mine)
        turn.value += 1
        condition.notify_all()
    out.close()


def turns_are_taken_in_order():
    condition = mp.Condition()
    turn = mp.Value("i", 0, lock=False)
    reader, writer = mp.Pipe(duplex=False)
    workers = [mp.Process(target=wait_for_turn, args=(condition, turn, n, writer)) for n in (3, 1, 2, 0)]
    for worker in workers:
        worker.start()
    print("turns", [reader.recv() for _ in workers])
    for worker in workers:
        worker.join()


def a_mapping_over_fork():
    shared = mmap.mmap(-1, 4 * mmap.PAGESIZE)
    private = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    private[:5] = b"mine."
    pids = []
    for n in range(4):
        pid = os.fork()
        if pid == 0:
            shared[n * mmap.PAGESIZE : n * mmap.PAGESIZE + 8] = struct.pack("<q", n * n)
            private[:5] = b"yours"
            os._exit(n)
        pids.append(pid)
    print("exits", [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
    print("shared", [struct.unpack_from("<q", shared, n * mmap.PAGESIZE)[0] for n in range(4)], private[:5])


def square(number):
    return number * number


def spawned_workers():
    with mp.get_context("spawn").Pool(2) as pool:
        print("spawned", pool.map(square, range(10)))


def a_server_of_objects():
    with mp.Manager() as manager:
        shared = manager.dict()
        workers = [mp.Process(target=shared.__setitem__, args=(n, n * 10)) for n in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print("manager", sorted(shared.items()))


if __name__ == "__main__":
    mp.set_start_method("fork")
    for check in (
        pool_fills_a_segment,
        workers_count_together,
        queues_carry_everything,
        turns_are_taken_in_order,
        a_mapping_over_fork,
        spawned_workers,
        a_server_of_objects,
    ):
        check()
        sys.stdout.flush()
    print("left in /dev/shm", [name for name in os.listdir("/dev/shm") if name.startswith(("psm_", "sem."))])
