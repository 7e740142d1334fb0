// Clients that send byte by byte, read in drips, end their side early or send much, while workers
// are killed or crash. No byte that they get is wrong or comes twice; what may be refused or cut
// off is what docs/connections.md says, and it is counted.
#include "chaos/storm.hpp"
#include "support/catch.hpp"

#include <string>

using namespace coppice::test;

namespace {

/// Its own letters all the way, so that two contents are never alike.
std::string content_of(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = answer_byte(seed, 1, i);
  return bytes;
}

/// Each case twice: with SIGKILL and with a crash.
template <class Client>
void storms(storm_options how, Client client) {
  const std::string name = how.name;
  for (const int signal : {SIGKILL, SIGSEGV}) {
    how.name = name + (signal == SIGKILL ? ", SIGKILL" : ", SIGSEGV");
    how.signal = signal;
    storm s{how};
    s.run([&](unsigned who) { client(s, who); });
  }
}

/// One after the other over one connection, each sent in steps.
void keep_asking(storm& s, const client_options& how, std::size_t step,
                 const std::function<asked()>& next) {
  stream_client c{s.port(), how};
  if (!c.connected()) return s.fail("it does not connect");
  while (!s.over()) {
    const auto request = next();
    if (const auto end = c.send(request.text, step); end != ending_of_call::done)
      return s.cannot("send", end);
    if (!s.judge(request, c.receive())) return;
  }
}

} // namespace

TEST_CASE("requests that come byte by byte") {
  storms({.name = "byte by byte"}, [](storm& s, unsigned who) {
    const std::string content = content_of(200, who);
    keep_asking(s, {}, 1, [&] {
      if (who % 3 == 0) return s.ask("GET", 300);
      return s.ask("PUT", 300, {}, content, who % 3 == 1 ? "" : "Transfer-Encoding: chunked\r\n");
    });
  });
}

TEST_CASE("answers of 16 KiB for clients that read in drips, through a small send buffer") {
  storms({.name = "drips of 16 KiB", .send_buffer = 4608}, [](storm& s, unsigned) {
    keep_asking(s, {.receive_buffer = 4608, .drip = 700}, SIZE_MAX,
                [&] { return s.ask("GET", 16 * 1024); });
  });
}

TEST_CASE("answers that fill the stage in pairs") {
  storms({.name = "pairs of 45 KiB", .send_buffer = 4608}, [](storm& s, unsigned) {
    stream_client c{s.port(), {.receive_buffer = 8192, .drip = 3000}};
    if (!c.connected()) return s.fail("it does not connect");
    while (!s.over()) { // two of them just fit into the stage
      const auto first = s.ask("GET", 45'000), second = s.ask("GET", 45'000);
      if (const auto end = c.send(first.text + second.text); end != ending_of_call::done)
        return s.cannot("send", end);
      if (!s.judge(first, c.receive()) || !s.judge(second, c.receive())) return;
    }
  });
}

TEST_CASE("answers of 1 MiB are whole or visibly cut off") {
  storms({.name = "1 MiB", .send_buffer = 4608, .may_refuse = true, .may_reset = true},
         [](storm& s, unsigned who) {
           keep_asking(s, {.receive_buffer = who % 2 == 0 ? 0 : 16 * 1024}, SIZE_MAX,
                       [&] { return s.ask("GET", 1024 * 1024); });
         });
}

TEST_CASE("contents below the journal's size, of requests that may be run again") {
  storms({.name = "puts of 12 KiB", .clients = 8}, [](storm& s, unsigned who) {
    const std::string content = content_of(12 * 1024, who);
    keep_asking(s, {}, who % 2 == 0 ? 1000 : SIZE_MAX, [&] {
      return s.ask("PUT", 500, "&us=100", content,
                   who % 4 < 2 ? "" : "Transfer-Encoding: chunked\r\n");
    });
  });
}

TEST_CASE("contents below and above the journal's size, of requests that must not be") {
  storms({.name = "posts of 1 to 100 KiB", .clients = 12, .may_refuse = true},
         [](storm& s, unsigned who) {
           const std::string content = content_of(std::size_t{1000} << (who % 4 * 2), who);
           keep_asking(s, {}, who % 3 == 0 ? 3000 : SIZE_MAX,
                       [&] { return s.ask("POST", 500, "&us=100", content); });
         });
}

TEST_CASE("the last request of a connection is answered, and the end is in good order") {
  storms({.name = "close at the end"}, [](storm& s, unsigned) {
    stream_client c{s.port()};
    if (!c.connected()) return s.fail("it does not connect");
    for (int i = 0; i < 3; ++i) {
      const auto request = s.ask("GET", 5000, "&us=50", {}, i == 2 ? "Connection: close\r\n" : "");
      if (const auto end = c.send(request.text); end != ending_of_call::done)
        return s.cannot("send", end);
      if (!s.judge(request, c.receive())) return;
    }
    if (const auto end = c.receive_end(); end != ending_of_call::done)
      s.fail("the connection's end: " + std::string{to_string(end)});
  });
}

TEST_CASE("a client that has ended its side gets its answer") {
  storms({.name = "half-closed", .send_buffer = 4608}, [](storm& s, unsigned who) {
    stream_client c{s.port(), {.receive_buffer = 4608}};
    if (!c.connected()) return s.fail("it does not connect");
    const auto request =
        s.ask(who % 2 == 0 ? "GET" : "PUT", 20'000, who % 4 < 2 ? "&us=50" : "&ms=5");
    if (const auto end = c.send(request.text); end != ending_of_call::done)
      return s.cannot("send", end);
    c.shut_write();
    if (!s.judge(request, c.receive())) return;
    if (const auto end = c.receive_end(); end != ending_of_call::done)
      s.fail("the connection's end: " + std::string{to_string(end)});
  });
}

TEST_CASE("a client that waits for 100 Continue gets it once") {
  storms({.name = "100 Continue", .may_refuse = true}, [](storm& s, unsigned who) {
    // A content beyond the journal may be refused, before or behind its 100, or be cut off.
    const bool small = who % 4 != 0;
    const std::string content = content_of(small ? 3000 : 40'000, who);
    stream_client c{s.port()};
    if (!c.connected()) return s.fail("it does not connect");
    while (!s.over()) {
      const auto request = s.ask("PUT", 300, "&us=50", content, "Expect: 100-continue\r\n");
      const auto body = request.text.size() - content.size();
      if (const auto end = c.send(std::string_view{request.text}.substr(0, body));
          end != ending_of_call::done)
        return s.cannot("send", end);
      if (const int status = c.receive_interim(); status != 100) {
        if (small || status != 502) s.fail("instead of 100 came " + std::to_string(status));
        return;
      }
      if (const auto end = c.send(content); end != ending_of_call::done)
        return s.cannot("send", end);
      const auto got = c.receive();
      if (got.interims > 0) return s.fail("a second 100");
      if (small && got.status >= 500) return s.fail("refused, although it may be run again");
      if (!small && got.how != ending_of_call::done && got.how != ending_of_call::too_late)
        return s.cannot("receive", got.how);
      if (!s.judge(request, got)) return;
    }
  });
}
