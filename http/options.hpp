#pragma once
// What can be chosen about an HTTP service. The defaults are safe for a service on the open
// internet.

#include <chrono>
#include <coppice/runtime/limits.hpp>
#include <cstddef>
#include <functional>

namespace coppice::http {

class request;

struct options {
  // ---- how large a request may be
  /// Bytes of the request line, and of each header field. More: 414, 431.
  std::size_t max_line = limits::http_line;
  /// Bytes of the request line and all fields. More: 431.
  std::size_t max_head = limits::http_head;
  /// Header fields. More: 431.
  std::size_t max_headers = limits::http_headers;
  /// Bytes of the content, decoded. More: 413.
  std::size_t max_body = limits::http_body;
  /// Whether POST, PUT and PATCH need a Content-Length or Transfer-Encoding (without: 411). If not,
  /// a request with neither has no content, as RFC 9112, 6.3 has it.
  bool require_length = true;

  // ---- how long it may take
  /// How long a connection may rest between requests, or before its first. Then it is closed.
  std::chrono::milliseconds idle_timeout = limits::http_idle;
  /// From the first byte of a request to the end of its head. Then 408.
  std::chrono::milliseconds head_timeout = limits::http_head_time;
  /// For each further limits::http_body_progress bytes of the content. Then 408.
  std::chrono::milliseconds body_timeout = limits::http_body_time;
  /// How long a client may take nothing of an answer that waits for it. Then the connection is
  /// reset.
  std::chrono::milliseconds write_timeout = limits::http_write_time;

  // ---- how answers are made
  /// Bytes that may wait to be written to one connection before no further request is taken from it
  /// and a stream counts as full.
  std::size_t max_unsent = limits::http_unsent;
  /// Whether an exception that escapes a handler has the worker replaced, once the client has its
  /// 500 (worker::retire_after_failure): it counts as an abnormal end. If not, it is only logged.
  bool fail_on_exception = true;
  /// Whether a request may be run again in another worker if this one dies over it. Asked before
  /// the handler is called; empty: if its method is idempotent (RFC 9110, 9.2.2).
  std::function<bool(const request&)> replayable = {};
};

} // namespace coppice::http
