#pragma once
// Sockets whose first bytes a test plays; a socket is known by its number.

#include <coppice/runtime/net/first_bytes.hpp>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace coppice::test {

class fake_first_bytes final : public first_bytes {
public:
  /// The client sends this. Whoever watches is told, unless `quietly`.
  void come(int socket, std::string_view text, bool quietly = false) {
    bytes_[socket] += text;
    if (!quietly) news(socket, false);
  }
  /// It closes its side.
  void end(int socket) {
    if (bytes_[socket].empty()) gone_.insert(socket);
    news(socket, true);
  }

  void tell(on_news news) override { news_ = std::move(news); }
  bool watch(std::uint64_t id, const os::unique_fd& socket) override {
    if (!can_watch) return false;
    watched_[socket.get()] = id;
    return true;
  }
  void forget(const os::unique_fd& socket) override { watched_.erase(socket.get()); }
  peeked peek(const os::unique_fd& socket) override {
    ++looks;
    if (gone_.contains(socket.get())) return {peeked::kind::gone, {}};
    return {peeked::kind::bytes, bytes_[socket.get()]};
  }

  [[nodiscard]] std::size_t watched() const { return watched_.size(); }
  bool can_watch = true;
  int looks = 0;

private:
  void news(int socket, bool ended) {
    if (const auto it = watched_.find(socket); it != watched_.end() && news_)
      news_({{it->second, ended}});
  }
  on_news news_;
  std::map<int, std::string> bytes_;
  std::set<int> gone_;
  std::map<int, std::uint64_t> watched_;
};

} // namespace coppice::test
