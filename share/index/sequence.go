package index

import (
	"container/heap"
	"slices"
)

// A task is an operation that waits for others.
type task struct {
	op    Op
	pos   int   // in a.order: the last reason for an order
	deps  []dep // what it waits for
	next  []dep // what waits for it
	waits int   // for so many
	done  bool
}

// A dep is one end of a wait. It is free when it lasts until something has left its path, else until that is done.
type dep struct {
	task *task
	free bool
}

// sequence puts the operations in order.
func (a *arranger) sequence() []Op {
	tasks := a.tasks()
	ready := &queue{}
	for _, t := range tasks {
		if t.waits == 0 {
			heap.Push(ready, t)
		}
	}
	ops := make([]Op, 0, len(tasks))
	for slots, first := 0, 0; ; {
		for ready.Len() > 0 {
			t := heap.Pop(ready).(*task)
			ops = append(ops, t.op)
			t.done = true
			ready.release(t)
		}
		for first < len(tasks) && tasks[first].done {
			first++
		}
		if first == len(tasks) {
			return ops
		}
		t := circle(tasks[first])
		if t == nil { // operations that Plan does not give
			for _, t := range tasks[first:] {
				if !t.done {
					a.blocked = append(a.blocked, t.op)
				}
			}
			return ops
		}
		slots++
		ops = append(ops, Op{Kind: Park, Path: t.op.From, Slot: slots, Base: t.op.Source})
		t.op.From, t.op.Slot = "", slots
		ready.release(t)
	}
}

// circle finds the rename that breaks a circle of tasks that wait for each other. There is one in each: deletions wait
// for nothing, removals of directories for what is below them, and other comings for those above them.
func circle(t *task) *task {
	seen := map[*task]int{}
	var way []dep
	for {
		from, ok := seen[t]
		if ok {
			for _, d := range way[from:] {
				if d.free && d.task.op.Kind == Rename {
					return d.task
				}
			}
			return nil
		}
		seen[t] = len(way)
		i := slices.IndexFunc(t.deps, func(d dep) bool { return !d.task.done && !(d.free && d.task.op.Slot != 0) })
		if i < 0 {
			return nil
		}
		way = append(way, t.deps[i])
		t = t.deps[i].task
	}
}

// tasks makes tasks of the steps, each with what it waits for.
func (a *arranger) tasks() (all []*task) {
	comes, frees := map[string]*task{}, map[string]*task{}
	add := func(op *Op, pos int) *task {
		t := &task{op: *op, pos: pos}
		all = append(all, t)
		return t
	}
	for i, s := range a.order {
		if s.gone != nil {
			frees[s.path] = add(s.gone, i)
		}
		if s.come != nil {
			comes[s.path] = add(s.come, i)
		}
	}
	for _, s := range a.order {
		if s.moved != nil {
			frees[s.path] = comes[s.moved.path]
		}
	}
	for _, s := range a.order {
		if t := comes[s.path]; t != nil {
			t.needs(frees[s.path], true)
			if dir := comes[parent(s.path)]; t.op.comes() && dir != nil && dir.op.Kind == Mkdir {
				t.needs(dir, false)
			}
			if from := comes[t.op.From]; t.op.Kind == Copy && from != nil {
				if from.op.Kind == Rename {
					t.needs(from, false)
				} else {
					from.needs(t, false)
				}
			}
		}
		if dir := frees[parent(s.path)]; dir != nil && dir.op.Kind == Rmdir {
			dir.needs(frees[s.path], true)
		}
	}
	return all
}

// needs makes t wait for on, if there is such a task.
func (t *task) needs(on *task, free bool) {
	if on == nil {
		return
	}
	t.deps = append(t.deps, dep{on, free})
	t.waits++
	on.next = append(on.next, dep{t, free})
}

// A queue is the tasks that can be done now, by rank.
type queue []*task

// release queues what waited for t alone, now that t is done, or has left its path.
func (q *queue) release(t *task) {
	next := t.next
	t.next = nil
	for _, d := range next {
		if !t.done && !d.free {
			t.next = append(t.next, d)
			continue
		}
		if d.task.waits--; d.task.waits == 0 {
			heap.Push(q, d.task)
		}
	}
}

// rank is what comes earlier when both could be done: what fetches nothing, then what fetches, then what takes away.
// The mode of a directory may forbid to write in it, so it comes after that.
func (t *task) rank() int {
	switch t.op.Kind {
	case Adopt, Forget:
		return 0
	case Mkdir:
		return 1
	case Rename:
		return 2
	case Copy:
		return 3
	case MakeSymlink:
		return 4
	case Put:
		return 6
	case Delete:
		return 7
	case Rmdir:
		return 9
	}
	if t.op.Shown.Type == Dir {
		return 8
	}
	return 5
}

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if a, b := q[i].rank(), q[j].rank(); a != b {
		return a < b
	}
	return q[i].pos < q[j].pos
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*task)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	*q = (*q)[:last]
	return t
}
