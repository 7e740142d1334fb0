// kill -9 any worker at any moment, under load, and no client notices. Every client has a deadline:
// a hang is a failure. COPPICE_CHAOS_SECONDS sets how long each case runs (the classic is 60), and
// COPPICE_KILL_MS how far apart the kills are.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

using namespace coppice;
using clock_type = std::chrono::steady_clock;

namespace {

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

/// What the clients of one case saw.
struct seen {
  std::atomic<long> requests = 0;
  std::atomic<long> refused = 0; ///< answered 502 or 503
  std::atomic<long> failed = 0;
  std::mutex guard;
  std::string first_failure;

  void fail(const std::string& how) {
    ++failed;
    const std::lock_guard lock{guard};
    if (first_failure.empty()) first_failure = how;
  }
};

struct storm {
  const char* name;
  std::string program = HTTP_HELLO;
  std::string group = "web";
  unsigned workers = 4;
  unsigned clients = 64;
  int kill_every_ms = 100;
  int signal = SIGKILL;
  std::string policy = "round_robin";
};

/// Runs `client` in threads until the time is over, while a random worker dies every so often.
template <class Client>
void run_storm(const storm& how, Client client, seen& saw) {
  const auto seconds = std::chrono::seconds{from_environment("COPPICE_CHAOS_SECONDS", 4)};
  const auto pause =
      std::chrono::milliseconds{from_environment("COPPICE_KILL_MS", how.kill_every_ms)};
  const auto seed = std::random_device{}();
  INFO(how.name << ", seed " << seed);
  std::mt19937 random{seed};
  test::program p{{how.program, "--listen", "tcp://127.0.0.1:0", "--workers",
                   std::to_string(how.workers), "--policy", how.policy, "--log", "warn"}};
  p.wait_ready();
  const auto end = clock_type::now() + seconds;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < how.clients; ++i)
    threads.emplace_back([&, i] { client(p.port(), i, end); });
  long kills = 0;
  do {
    p.read_output();
    const auto now = p.workers(how.group);
    if (2 * now.size() < how.workers) continue; // half of them must have been able to come back
    if (::kill(now[random() % now.size()], how.signal) == 0) ++kills;
  } while (clock_type::now() < end && !p.wait_exit_within(pause));
  for (auto& thread : threads) thread.join();
  p.read_output();
  std::printf("%s: %ld requests, %ld kills, %ld refused, %ld failed\n", how.name,
              saw.requests.load(), kills, saw.refused.load(), saw.failed.load());
  INFO("first failure: " << saw.first_failure << "\n" << p.output());
  CHECK(kills > 0);
  CHECK(saw.requests > 0);
  CHECK(saw.failed == 0);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

/// One number after the other, over one connection that must never close.
void keep_alive(seen& saw, int port, unsigned who, clock_type::time_point end,
                const std::string& query) {
  test::http_client c{port};
  for (unsigned n = who * 1'000'000; clock_type::now() < end; ++n) {
    const auto number = std::to_string(n);
    const auto got = c.get("/n/" + number + query);
    ++saw.requests;
    if (!got) return saw.fail("client " + std::to_string(who) + ": no answer to " + number);
    if (got->status != 200 || got->body != number)
      return saw.fail(number + " was answered " + std::to_string(got->status) + " " + got->body);
  }
}

/// One number after the other, each over a connection of its own.
void one_shot(seen& saw, int port, unsigned who, clock_type::time_point end) {
  const auto rest =
      " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: client=" + std::to_string(who) +
      "\r\n\r\n";
  for (unsigned n = who * 1'000'000; clock_type::now() < end; ++n) {
    const auto number = std::to_string(n);
    test::http_client c{port};
    ++saw.requests;
    if (!c.send("GET /n/" + number + "?us=50" + rest)) return saw.fail("a request was not sent");
    const auto all = c.receive_all();
    if (!all || !all->ends_with("\r\n\r\n" + number))
      return saw.fail(number + " was answered " + all.value_or("not at all"));
  }
}

} // namespace

TEST_CASE("64 keep-alive clients see nothing of workers that are killed") {
  seen saw;
  run_storm(
      {.name = "keep-alive"},
      [&](int port, unsigned who, clock_type::time_point end) {
        keep_alive(saw, port, who, end, "?us=50");
      },
      saw);
}

TEST_CASE("64 keep-alive clients see nothing of workers that are killed every 20 ms") {
  seen saw;
  run_storm(
      {.name = "keep-alive, 20 ms", .kill_every_ms = 20},
      [&](int port, unsigned who, clock_type::time_point end) {
        keep_alive(saw, port, who, end, "?us=50");
      },
      saw);
}

TEST_CASE("requests that take a while are run again elsewhere") {
  seen saw;
  run_storm(
      {.name = "slow requests", .clients = 32},
      [&](int port, unsigned, clock_type::time_point end) {
        test::http_client c{port};
        while (clock_type::now() < end) {
          const auto got = c.get("/slow?ms=5");
          ++saw.requests;
          if (!got || got->status != 200) return saw.fail("no answer to a slow request");
        }
      },
      saw);
}

TEST_CASE("a pool of one worker keeps the promise") {
  seen saw;
  run_storm(
      {.name = "one worker", .workers = 1, .clients = 16},
      [&](int port, unsigned who, clock_type::time_point end) {
        keep_alive(saw, port, who, end, "?us=50");
      },
      saw);
}

TEST_CASE("a connection for each request, while workers are killed") {
  seen saw;
  run_storm(
      {.name = "one-shot", .clients = 16},
      [&](int port, unsigned who, clock_type::time_point end) { one_shot(saw, port, who, end); },
      saw);
}

TEST_CASE("a connection for each request by every policy, while workers are killed") {
  for (const char* policy :
       {"least_connections", "power_of_two_choices", "ip_hash", "sticky:client"}) {
    seen saw;
    run_storm(
        {.name = policy, .clients = 16, .policy = policy},
        [&](int port, unsigned who, clock_type::time_point end) { one_shot(saw, port, who, end); },
        saw);
  }
}

TEST_CASE("pipelined requests, eight deep, while workers are killed") {
  seen saw;
  run_storm(
      {.name = "pipelined", .clients = 16},
      [&](int port, unsigned who, clock_type::time_point end) {
        test::http_client c{port};
        for (unsigned n = who * 1'000'000; clock_type::now() < end; n += 8) {
          std::string all;
          for (unsigned i = 0; i < 8; ++i)
            all += "GET /n/" + std::to_string(n + i) + "?us=20 HTTP/1.1\r\nHost: x\r\n\r\n";
          if (!c.send(all)) return saw.fail("requests could not be sent");
          for (unsigned i = 0; i < 8; ++i) {
            const auto got = c.receive();
            ++saw.requests;
            if (!got || got->body != std::to_string(n + i))
              return saw.fail(std::to_string(n + i) + " was answered " +
                              (got ? got->body : "not at all"));
          }
        }
      },
      saw);
}

TEST_CASE("requests that must not be run twice are answered once, or refused") {
  seen saw;
  run_storm(
      {.name = "post", .clients = 16},
      [&](int port, unsigned who, clock_type::time_point end) {
        std::optional<test::http_client> c;
        for (unsigned n = who * 1'000'000; clock_type::now() < end; ++n) {
          if (!c) c.emplace(port);
          const auto number = std::to_string(n);
          ++saw.requests;
          if (!c->send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                       std::to_string(number.size()) + "\r\n\r\n" + number))
            return saw.fail("a request could not be sent");
          const auto got = c->receive();
          if (got && (got->status == 502 || got->status == 503)) {
            ++saw.refused; // and closed
            c.reset();
          } else if (!got || got->status != 200 || got->body != number) {
            return saw.fail(number + " was answered " + (got ? got->body : "not at all"));
          }
        }
      },
      saw);
}

TEST_CASE("an echo stays exact, byte for byte, while workers are killed") {
  seen saw;
  run_storm(
      {.name = "echo",
       .program = ECHO,
       .group = "echo",
       .workers = 2,
       .clients = 4,
       .kill_every_ms = 50},
      [&](int port, unsigned who, clock_type::time_point end) {
        os::unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(static_cast<std::uint16_t>(port));
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) != 0)
          return saw.fail("connect");
        const auto byte_at = [who](std::uint64_t at) {
          return static_cast<char>((at * 2654435761u + (at >> 9) * 97 + who) >> 7);
        };
        std::uint64_t sent = 0, got = 0;
        bool ended = false;
        std::string out, in(64 * 1024, '\0');
        for (;;) {
          ended = ended || clock_type::now() >= end;
          if (ended && got == sent) break;
          short what = POLLIN;
          if (!ended && sent - got < 256 * 1024) what |= POLLOUT;
          pollfd one{socket.get(), what, 0};
          if (::poll(&one, 1, 10'000) != 1)
            return saw.fail("nothing came for 10 s behind " + std::to_string(got) + " of " +
                            std::to_string(sent) + " bytes");
          if ((one.revents & POLLOUT) != 0) {
            out.resize(1 + sent % 40'000);
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_at(sent + i);
            const auto n =
                ::send(socket.get(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) sent += static_cast<std::uint64_t>(n);
          }
          if ((one.revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
            const auto n = ::recv(socket.get(), in.data(), in.size(), MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) continue;
            if (n <= 0) return saw.fail("it ended at byte " + std::to_string(got));
            for (ssize_t i = 0; i < n; ++i, ++got)
              if (in[static_cast<std::size_t>(i)] != byte_at(got))
                return saw.fail("byte " + std::to_string(got) + " is wrong");
            saw.requests += n;
          }
        }
      },
      saw);
}
