using System.Collections.Concurrent;
using Penstock.Gateway.Cache;
using Penstock.Kernel;
using Penstock.Sqlite.Native;
using Penstock.Usage;

namespace Penstock.Sqlite.Cache;

/// <summary>
/// Answers in SQLite. Times are kept to the millisecond. An answer is found from the moment it was put, and goes to the disk with the next commit that
/// something else makes: the cache makes none of its own, and a crash loses the answers of the moment before it.
/// </summary>
internal sealed class SqliteCacheStore(SqliteDatabase database) : ICacheStore
{
    /// <summary>Rows dropped in one transaction: others wait for it.</summary>
    private const int DroppedAtOnce = 200;

    /// <summary>What a row takes beside its body, in bytes.</summary>
    private const int Overhead = 512;

    /// <summary>Bytes that may wait for a commit; past them whoever puts an answer waits for one.</summary>
    private const long MostWaiting = 4 * 1024 * 1024;

    /// <summary>Dropped answers that the filter may still name before it is made anew.</summary>
    private const int MostForgotten = 100_000;

    private const string Columns = "at, expires_at, content_type, provider, model, input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost_nanos, body";

    private const string SelectAnswer = $"SELECT {Columns} FROM cache WHERE tenant = $tenant AND cache_key = $key AND expires_at > $now";

    internal const string SelectKeys = "SELECT cache_key FROM cache";

    private const string PutAnswer = $"""
        INSERT INTO cache (tenant, cache_key, bytes, {Columns})
        VALUES ($tenant, $key, $bytes, $at, $expiresAt, $contentType, $provider, $model, $input, $cacheRead, $cacheWrite5m, $cacheWrite1h, $output, $reasoning, $cost, $body)
        ON CONFLICT (tenant, cache_key) DO UPDATE SET
          at = excluded.at, expires_at = excluded.expires_at, bytes = excluded.bytes, content_type = excluded.content_type, provider = excluded.provider,
          model = excluded.model, input = excluded.input, cache_read = excluded.cache_read, cache_write_5m = excluded.cache_write_5m,
          cache_write_1h = excluded.cache_write_1h, output = excluded.output, reasoning = excluded.reasoning, cost_nanos = excluded.cost_nanos, body = excluded.body
        """;

    internal const string DeleteExpired = "DELETE FROM cache WHERE rowid IN (SELECT rowid FROM cache WHERE expires_at <= $now LIMIT $limit)";

    internal const string SumBytes = "SELECT coalesce(sum(bytes), 0) FROM cache INDEXED BY cache_by_age";

    internal const string SelectOldest = "SELECT rowid, bytes FROM cache INDEXED BY cache_by_age ORDER BY at LIMIT $limit";

    internal const string DeleteRow = "DELETE FROM cache WHERE rowid = $row";

    private readonly ConcurrentDictionary<(TenantId, CacheKey), CachedAnswer> _waiting = new();
    private readonly Lock _lock = new();
    private readonly ConcurrentQueue<(TenantId Tenant, CacheKey Key, CachedAnswer Answer)> _puts = new();
    private volatile KnownKeys? _known;
    private KnownKeys? _next;
    private long _waitingBytes;
    private int _planned;
    private int _forgotten;

    public Task<CachedAnswer?> FindAsync(TenantId tenant, CacheKey key, DateTimeOffset now, CancellationToken ct)
    {
        if (_waiting.TryGetValue((tenant, key), out var answer)) return Task.FromResult(answer.ExpiresAt.ToUnixTimeMilliseconds() > now.ToUnixTimeMilliseconds() ? answer : null);
        if (_known is { } known && !known.MayHold(key)) return Task.FromResult<CachedAnswer?>(null);
        return database.ReadAsync(
            session =>
            {
                using var row = session.Use(SelectAnswer);
                row.Set("$tenant", tenant.Value).Set("$key", key.Value).Set("$now", now.ToUnixTimeMilliseconds());
                return row.Step() ? Read(row) : null;
            },
            ct);
    }

    public Task PutAsync(TenantId tenant, CacheKey key, CachedAnswer answer, CancellationToken ct)
    {
        var kept = answer with { At = ToMilliseconds(answer.At), ExpiresAt = ToMilliseconds(answer.ExpiresAt) };
        var much = Interlocked.Add(ref _waitingBytes, kept.Body.Length) > MostWaiting;
        _waiting[(tenant, key)] = kept;
        lock (_lock)
        {
            _known?.Add(key);
            _next?.Add(key);
        }

        _puts.Enqueue((tenant, key, kept));
        if (Interlocked.Exchange(ref _planned, 1) == 0) Plan();
        return much ? database.WriteAsync(_ => true, ct) : Task.CompletedTask;
    }

    public async Task<int> TrimAsync(DateTimeOffset now, long mostBytes, CancellationToken ct)
    {
        if (_known is null) await LearnAsync(ct);
        var dropped = await RepeatAsync(session => DropExpired(session, now), ct);
        // Added up on a reading connection: the writer waits for nobody's index scan.
        var tooMuch = await database.ReadAsync(Sum, ct) - mostBytes;
        while (tooMuch > 0)
        {
            var (count, bytes) = await database.WriteAsync(session => DropOldest(session, tooMuch), ct);
            if (count == 0) break;
            dropped += count;
            tooMuch -= bytes;
        }

        // A filter forgets nothing: what was dropped goes with the old one.
        if ((_forgotten += dropped) > MostForgotten) await LearnAsync(ct);
        return dropped;
    }

    /// <summary>All that wait are written in one operation of the next commit; then, and not before, they are found in the table.</summary>
    private void Plan()
    {
        var written = new List<(TenantId Tenant, CacheKey Key, CachedAnswer Answer)>();
        database.WriteLater(
            session =>
            {
                Volatile.Write(ref _planned, 0);
                while (_puts.TryDequeue(out var put))
                {
                    written.Add(put);
                    Put(session, put.Tenant, put.Key, put.Answer);
                }
            },
            done: () =>
            {
                foreach (var (tenant, key, answer) in written)
                {
                    _waiting.TryRemove(new KeyValuePair<(TenantId, CacheKey), CachedAnswer>((tenant, key), answer));
                    Interlocked.Add(ref _waitingBytes, -answer.Body.Length);
                }
            });
    }

    /// <summary>Makes the filter anew from the table. What is put meanwhile is in both; what waits for its commit is not in the table yet.</summary>
    private async Task LearnAsync(CancellationToken ct)
    {
        var next = new KnownKeys();
        lock (_lock) _next = next;
        foreach (var (_, key) in _waiting.Keys) next.Add(key);
        await database.ReadAsync(
            session =>
            {
                using var keys = session.Use(SelectKeys);
                while (keys.Step()) next.Add(new CacheKey(keys.Text(0)));
                return true;
            },
            ct);
        lock (_lock) (_known, _next, _forgotten) = (next, null, 0);
    }

    private static DateTimeOffset ToMilliseconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeMilliseconds(time.ToUnixTimeMilliseconds());

    private static void Put(Session session, TenantId tenant, CacheKey key, CachedAnswer answer)
    {
        using var put = session.Use(PutAnswer);
        put.Set("$tenant", tenant.Value)
            .Set("$key", key.Value)
            .Set("$bytes", (long)answer.Body.Length + Overhead)
            .Set("$at", answer.At.ToUnixTimeMilliseconds())
            .Set("$expiresAt", answer.ExpiresAt.ToUnixTimeMilliseconds())
            .Set("$contentType", answer.ContentType)
            .Set("$provider", answer.Provider)
            .Set("$model", answer.Model)
            .Set("$input", answer.Tokens.Input)
            .Set("$cacheRead", answer.Tokens.CacheRead)
            .Set("$cacheWrite5m", answer.Tokens.CacheWrite5m)
            .Set("$cacheWrite1h", answer.Tokens.CacheWrite1h)
            .Set("$output", answer.Tokens.Output)
            .Set("$reasoning", answer.Tokens.Reasoning)
            .Set("$cost", answer.Cost.NanoDollars)
            .Set("$body", answer.Body)
            .Run();
    }

    private async Task<int> RepeatAsync(Func<Session, int> drop, CancellationToken ct)
    {
        var all = 0;
        while (true)
        {
            var count = await database.WriteAsync(drop, ct);
            all += count;
            if (count < DroppedAtOnce) return all;
        }
    }

    private static int DropExpired(Session session, DateTimeOffset now)
    {
        using var delete = session.Use(DeleteExpired);
        return delete.Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", DroppedAtOnce).Run();
    }

    private static long Sum(Session session)
    {
        using var sum = session.Use(SumBytes);
        sum.Step();
        return sum.Long(0);
    }

    private static (int Count, long Bytes) DropOldest(Session session, long atLeast)
    {
        var oldest = new List<long>();
        var bytes = 0L;
        using (var rows = session.Use(SelectOldest))
        {
            rows.Set("$limit", DroppedAtOnce);
            while (bytes < atLeast && rows.Step())
            {
                oldest.Add(rows.Long(0));
                bytes += rows.Long(1);
            }
        }

        foreach (var row in oldest)
        {
            using var delete = session.Use(DeleteRow);
            delete.Set("$row", row).Run();
        }

        return (oldest.Count, bytes);
    }

    private static CachedAnswer Read(Statement row) => new()
    {
        At = DateTimeOffset.FromUnixTimeMilliseconds(row.Long(0)),
        ExpiresAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Long(1)),
        ContentType = row.Text(2),
        Provider = row.Text(3),
        Model = row.Text(4),
        Tokens = new TokenCounts(row.Long(5), row.Long(6), row.Long(7), row.Long(8), row.Long(9), row.Long(10)),
        Cost = new Money(row.Long(11)),
        Body = row.Blob(12),
    };
}
