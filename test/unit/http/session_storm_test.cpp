// A session under a random client, random handlers and a random loop: every request is answered
// once, whole and in order, whatever happens when. Ends by a drain, or by the client's going.
#include "session_world.hpp"
#include <coppice/http/chunked_decoder.hpp>
#include <map>
#include <random>

using namespace coppice;
using namespace coppice::http;
using namespace coppice::http::testing;

namespace {

/// What a client makes of the bytes it got: the bodies of the answers, in order.
std::vector<std::string> read_answers(std::string_view bytes) {
  std::vector<std::string> bodies;
  const options bounds{.max_body = 1'000'000'000};
  while (!bytes.empty()) {
    if (bytes.starts_with(serializer::go_on)) {
      bytes.remove_prefix(serializer::go_on.size());
      continue;
    }
    REQUIRE(bytes.starts_with("HTTP/1.1 200 OK\r\n"));
    const std::size_t end = bytes.find("\r\n\r\n");
    REQUIRE(end != bytes.npos);
    const std::string_view head = bytes.substr(0, end + 4);
    bytes.remove_prefix(head.size());
    std::string body;
    constexpr std::string_view name = "Content-Length: ";
    if (const auto at = head.find(name); at != head.npos) {
      const std::size_t size = std::stoul(std::string{head.substr(at + name.size())});
      REQUIRE(size <= bytes.size());
      body = bytes.substr(0, size);
      bytes.remove_prefix(size);
    } else {
      chunked_decoder chunks;
      bytes.remove_prefix(chunks.decode(bytes, body, bounds));
      REQUIRE(chunks.complete());
    }
    bodies.push_back(std::move(body));
  }
  return bodies;
}

class storm {
public:
  explicit storm(unsigned seed) : random_{seed}, world_{handler_of_all_kinds(), bounds(seed)} {}

  void run() {
    for (int i = 0; i < 30; ++i) add_request(i);
    int rounds = 0;
    while (at_ < bytes_.size() || world_.connection.staged.size() > 0 || !later_.empty() ||
           !streams_.empty() || answered() < wanted_.size()) {
      REQUIRE(++rounds < 1'000'000);
      step();
    }
    CHECK((read_answers(world_.connection.sent) == wanted_));
    CHECK_FALSE(world_.connection.closed());
    CHECK_FALSE(world_.connection.streaming);
    CHECK_FALSE(world_.connection.paused);
    world_.drain();
    CHECK(world_.connection.closed_how == close_mode::linger);
    CHECK(world_.failed.empty());
  }

  /// The client goes in the midst of it; what the handlers still hold is of no use, and of no harm.
  void run_until_gone() {
    for (int i = 0; i < 30; ++i) add_request(i);
    for (int i = pick(300); i > 0; --i) step();
    world_.go();
    for (auto& [id, responder] : later_) responder.send(text("late"));
    for (auto& stream : streams_) {
      CHECK_FALSE(stream.open());
      stream.write("late");
    }
    streams_.clear();
    world_.run();
  }

private:
  int pick(int below) { return std::uniform_int_distribution{0, below - 1}(random_); }

  static options bounds(unsigned seed) {
    options choices;
    choices.max_unsent = seed % 3 == 0 ? 100 : 200'000;
    return choices;
  }

  std::string body_of(int id) {
    std::string body = "body " + std::to_string(id) + " ";
    if (id % 7 == 3) body.append(150'000, 'x');
    return body;
  }

  void add_request(int id) {
    static constexpr const char* kinds[] = {"sync", "later", "quick", "source", "sized", "stream"};
    const std::string target = "/" + std::string{kinds[pick(6)]} + "/" + std::to_string(id);
    switch (pick(4)) {
    case 0: {
      const std::string size = std::to_string(pick(2) != 0 ? 10 : 40'000);
      bytes_ += "POST " + target +
                " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + size +
                "\r\n\r\n" + std::string(std::stoul(size), 'y');
      break;
    }
    case 1:
      bytes_ += "PUT " + target +
                " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4e20\r\n" +
                std::string(20'000, 'z') + "\r\n0\r\n\r\n";
      break;
    default:
      bytes_ += get(target);
    }
    wanted_.push_back(body_of(id));
  }

  handler handler_of_all_kinds() {
    return {[this](const request& r) -> std::optional<response> {
              const int id = id_of(r);
              ++asked_;
              if (is(r, "/sync/")) return text(body_of(id));
              if (is(r, "/source/") || is(r, "/sized/")) {
                const std::string body = body_of(id);
                auto source = [body, at = std::size_t{0}](std::string& out) mutable {
                  const std::size_t size = std::min<std::size_t>(body.size() - at, 9'000);
                  out.append(body, at, size);
                  return (at += size) < body.size();
                };
                if (is(r, "/source/")) return text("").body(std::move(source));
                return text("").body(std::move(source), body.size());
              }
              --asked_;
              return std::nullopt;
            },
            [this](request r, responder answer) {
              const int id = id_of(r);
              ++asked_;
              if (is(r, "/quick/")) return answer.send(text(body_of(id)));
              if (is(r, "/later/")) {
                later_.emplace(id, std::move(answer));
                return;
              }
              streams_.push_back(answer.stream(text("")));
              to_write_ = body_of(id);
            }};
  }

  static bool is(const request& r, std::string_view kind) { return r.path().starts_with(kind); }
  static int id_of(const request& r) {
    return std::stoi(std::string{r.path().substr(r.path().rfind('/') + 1)});
  }
  std::size_t answered() const { return asked_ - later_.size() - streams_.size(); }

  void step() {
    switch (pick(6)) {
    case 0:
    case 1:
      if (at_ < bytes_.size() && !world_.connection.paused &&
          world_.connection.received.size() < 128 * 1024) {
        const std::string piece =
            bytes_.substr(at_, static_cast<std::size_t>(pick(2) != 0 ? pick(30) : pick(16'000)));
        at_ += piece.size();
        world_.send(piece);
      }
      break;
    case 2:
      world_.take(static_cast<std::size_t>(pick(2) != 0 ? pick(100) : pick(200'000)));
      break;
    case 3:
      if (!later_.empty()) {
        auto node = later_.extract(later_.begin());
        node.mapped().send(text(body_of(node.key())));
      }
      break;
    case 4:
      if (!streams_.empty() && !to_write_.empty()) {
        const auto size =
            std::min<std::size_t>(to_write_.size(), static_cast<std::size_t>(pick(30'000)));
        const std::string piece = to_write_.substr(0, size);
        to_write_.erase(0, size);
        streams_.back().async_write(piece, [](std::error_code) {});
      } else if (!streams_.empty()) {
        auto stream = std::move(streams_.back());
        streams_.pop_back();
        stream.finish();
      }
      break;
    default:
      world_.run();
    }
  }

  std::mt19937 random_;
  std::string bytes_;  ///< all requests
  std::size_t at_ = 0; ///< how far they are sent
  std::vector<std::string> wanted_;
  std::size_t asked_ = 0;
  std::map<int, responder> later_;
  std::vector<body_stream> streams_; ///< at most one: a connection has one exchange at a time
  std::string to_write_;
  world world_;
};

} // namespace

TEST_CASE("every request is answered once, whole and in order, in any weather") {
  const unsigned first = std::random_device{}();
  for (unsigned n = 0; n < 60; ++n) {
    INFO("seed " << first + n);
    storm{first + n}.run();
  }
}

TEST_CASE("a client may go at any moment") {
  const unsigned first = std::random_device{}();
  for (unsigned n = 0; n < 200; ++n) {
    INFO("seed " << first + n);
    storm{first + n}.run_until_gone();
  }
}
