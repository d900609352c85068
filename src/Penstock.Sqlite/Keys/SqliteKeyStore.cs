using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Keys;
using Penstock.Sqlite.Native;

namespace Penstock.Sqlite.Keys;

internal sealed class SqliteKeyStore(SqliteDatabase database) : IKeyStore
{
    private const string Columns =
        "tenant, key_id, project, name, hash, previous_hash, previous_until, scopes, created_at, expires_at, revoked_at, models, monthly_budget_nanos, requests_per_second, burst, tokens_per_minute, concurrency, guards, tools";

    private const string InsertKey = $"""
        INSERT INTO keys ({Columns})
        VALUES ($tenant, $key, $project, $name, $hash, $previousHash, $previousUntil, $scopes, $createdAt, $expiresAt, $revokedAt, $models, $monthlyBudget, $requestsPerSecond, $burst, $tokensPerMinute, $concurrency, $guards, $tools)
        ON CONFLICT DO NOTHING
        """;

    private const string InsertTenant = "INSERT INTO tenants (tenant, created_at) VALUES ($tenant, $at) ON CONFLICT DO NOTHING";

    private const string InsertProject = "INSERT INTO projects (tenant, project, created_at) VALUES ($tenant, $project, $at) ON CONFLICT DO NOTHING";

    /// <summary>The one statement without a tenant: the caller's key is what says which it is.</summary>
    internal const string SelectAnyTenantsKey = $"SELECT {Columns} FROM keys WHERE key_id = $key";

    private const string SelectKey = $"SELECT {Columns} FROM keys WHERE tenant = $tenant AND key_id = $key";

    private const string SelectKeys = $"SELECT {Columns} FROM keys WHERE tenant = $tenant ORDER BY created_at, key_id";

    private const string UpdateRevoked = "UPDATE keys SET revoked_at = coalesce(revoked_at, $at) WHERE tenant = $tenant AND key_id = $key";

    private const string UpdateHash =
        "UPDATE keys SET previous_hash = hash, previous_until = $previousUntil, hash = $hash WHERE tenant = $tenant AND key_id = $key AND revoked_at IS NULL";

    public Task<bool> AddAsync(KeyRecord key, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            if (!Insert(session, key)) return false;
            using var tenant = session.Use(InsertTenant);
            tenant.Set("$tenant", key.Tenant.Value).Set("$at", Milliseconds(key.CreatedAt)).Run();
            using var project = session.Use(InsertProject);
            project.Set("$tenant", key.Tenant.Value).Set("$project", key.Project.Value).Set("$at", Milliseconds(key.CreatedAt)).Run();
            return true;
        },
        ct);

    public Task<KeyRecord?> FindAsync(KeyId id, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectAnyTenantsKey);
            row.Set("$key", id.Value);
            return row.Step() ? Read(row) : null;
        },
        ct);

    public Task<KeyRecord?> GetAsync(TenantId tenant, KeyId id, CancellationToken ct) => database.ReadAsync(
        session =>
        {
            using var row = session.Use(SelectKey);
            row.Set("$tenant", tenant.Value).Set("$key", id.Value);
            return row.Step() ? Read(row) : null;
        },
        ct);

    public Task<IReadOnlyList<KeyRecord>> ListAsync(TenantId tenant, CancellationToken ct) => database.ReadAsync<IReadOnlyList<KeyRecord>>(
        session =>
        {
            using var row = session.Use(SelectKeys);
            row.Set("$tenant", tenant.Value);
            var keys = new List<KeyRecord>();
            while (row.Step()) keys.Add(Read(row));
            return keys;
        },
        ct);

    public Task<bool> RevokeAsync(TenantId tenant, KeyId id, DateTimeOffset at, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var update = session.Use(UpdateRevoked);
            return update.Set("$tenant", tenant.Value).Set("$key", id.Value).Set("$at", Milliseconds(at)).Run() > 0;
        },
        ct);

    public Task<bool> RotateAsync(TenantId tenant, KeyId id, ReadOnlyMemory<byte> hash, DateTimeOffset previousUntil, CancellationToken ct) => database.WriteAsync(
        session =>
        {
            using var update = session.Use(UpdateHash);
            return update.Set("$tenant", tenant.Value).Set("$key", id.Value).Set("$hash", hash).Set("$previousUntil", Milliseconds(previousUntil)).Run() > 0;
        },
        ct);

    private static bool Insert(Session session, KeyRecord key)
    {
        using var insert = session.Use(InsertKey);
        return insert
            .Set("$tenant", key.Tenant.Value)
            .Set("$key", key.Id.Value)
            .Set("$project", key.Project.Value)
            .Set("$name", key.Name)
            .Set("$hash", key.Hash)
            .Set("$previousHash", key.PreviousHash)
            .Set("$previousUntil", Milliseconds(key.PreviousUntil))
            .Set("$scopes", (long)key.Scopes)
            .Set("$createdAt", Milliseconds(key.CreatedAt))
            .Set("$expiresAt", Milliseconds(key.ExpiresAt))
            .Set("$revokedAt", Milliseconds(key.RevokedAt))
            .Set("$models", WriteTexts(key.Models))
            .Set("$monthlyBudget", key.MonthlyBudget?.NanoDollars)
            .Set("$requestsPerSecond", key.RequestsPerSecond)
            .Set("$burst", key.Burst)
            .Set("$tokensPerMinute", key.TokensPerMinute)
            .Set("$concurrency", key.Concurrency)
            .Set("$guards", key.Guards)
            .Set("$tools", WriteTexts(key.Tools))
            .Run() > 0;
    }

    /// <summary>Reads <see cref="Columns"/>.</summary>
    private static KeyRecord Read(Statement row) => new()
    {
        Tenant = new TenantId(row.Text(0)),
        Id = new KeyId(row.Text(1)),
        Project = new ProjectId(row.Text(2)),
        Name = row.Text(3),
        Hash = row.Blob(4),
        PreviousHash = row.BlobOrNull(5),
        PreviousUntil = Time(row.LongOrNull(6)),
        Scopes = (Scopes)row.Int(7),
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Long(8)),
        ExpiresAt = Time(row.LongOrNull(9)),
        RevokedAt = Time(row.LongOrNull(10)),
        Models = ReadTexts(row.Text(11)),
        MonthlyBudget = row.LongOrNull(12) is { } nanos ? new Money(nanos) : null,
        RequestsPerSecond = row.DoubleOrNull(13),
        Burst = row.IntOrNull(14),
        TokensPerMinute = row.IntOrNull(15),
        Concurrency = row.IntOrNull(16),
        Guards = row.TextOrNull(17),
        Tools = ReadTexts(row.Text(18)),
    };

    private static long? Milliseconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    private static DateTimeOffset? Time(long? milliseconds) => milliseconds is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;

    private static string WriteTexts(IReadOnlyList<string> texts)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var text in texts) json.WriteStringValue(text);
            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static List<string> ReadTexts(string json)
    {
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(item => item.GetString()!)];
    }
}
