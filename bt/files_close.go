package bt

import "errors"

// Flush waits until every complete file has its final name, and writes the record. Its error is the first that came up
// while files were given their names.
func (s *FileStorage) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busy {
		s.idle.Wait()
	}
	if s.closed {
		return nil
	}
	return errors.Join(s.failure, s.writeRecord(false))
}

// Close flushes and releases everything. What is left on disk is the complete files, partial data when something is
// missing, and the record. A second Close does nothing.
func (s *FileStorage) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.work.Wait()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.work.Wait() // only MarkComplete starts it, and that sees closed
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.failure, s.dropEdges(), s.writeRecord(true))
	s.release()
	return err
}

// dropEdges removes the edges when the selection is complete: nobody will ask for the pieces that they hold.
func (s *FileStorage) dropEdges() error {
	for _, d := range s.files {
		if d.path != "" && (!d.complete() || d.place != atFinal) {
			return nil
		}
	}
	if _, err := s.root.Lstat(s.edges); err != nil { // not Remove's error: a read-only disk gives another one
		return nil
	}
	s.pool.drop(s.edges)
	return s.root.Remove(s.edges)
}

// release gives back what open took. It works on a storage that was opened in part.
func (s *FileStorage) release() {
	s.work.Wait()
	s.closed = true
	if s.pool != nil {
		s.pool.close()
	}
	if s.root != nil {
		if s.lock != nil {
			s.lock.unlock()
		}
		s.removeEmptyDirs()
		_ = s.root.Close()
	}
}
