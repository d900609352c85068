using System.Globalization;
using Penstock.Kernel;

namespace Penstock.Aws.DynamoDb.Agents;

/// <summary>
/// Where the items of <c>ai-runs</c> stand. A run's own are in its partition, so that a write of its owner is one transaction.
/// <code>
/// t#T#r#R           head                   the run; in by-due where it is open or has ended (see RunItem)
///                   j#seq                  an entry of its journal
///                   i#id                   an item of its inbox that came once: its id, for as long as the run is there
///                   u#id                   the same with its body, until the owner folds it
/// t#T#r#R#f#token   j#seq                  first entries that were too many for one write; the head names the token
///                   staged                 in by-due until the head does
/// t#T#r#R#s         seq#sub                a piece of a growing answer; in by-due by its time
/// t#T#runs          time#id                a run, for lists
/// t#T#c#R           time#id                a run that R started
/// </code>
/// </summary>
internal static class RunKeys
{
    /// <summary>Over how many partitions of the index those that are looked for at all times are spread.</summary>
    public const int Shards = 4;

    public const string Head = "head";
    public const string Staged = "staged";

    public const string FirstUnread = "u#";
    public const string FirstEntry = "j#";
    public const string AfterEntries = "j$";

    public static string Tenant(TenantId tenant) => $"t#{KeyPart.Of(tenant.Value)}";

    public static string Run(TenantId tenant, RunId run) => $"{Tenant(tenant)}#r#{KeyPart.Of(run.Value)}";

    public static string First(TenantId tenant, RunId run, string token) => $"{Run(tenant, run)}#f#{token}";

    public static string Chunks(TenantId tenant, RunId run) => $"{Run(tenant, run)}#s";

    public static string Runs(TenantId tenant) => $"{Tenant(tenant)}#runs";

    public static string Children(TenantId tenant, RunId parent) => $"{Tenant(tenant)}#c#{KeyPart.Of(parent.Value)}";

    public static Item HeadKey(TenantId tenant, RunId run) => Item.Key(Run(tenant, run), Head);

    public static string Entry(long seq) => string.Create(CultureInfo.InvariantCulture, $"{FirstEntry}{seq:D12}");

    public static string Known(string id) => $"i#{KeyPart.Of(id)}";

    public static string Unread(string id) => $"{FirstUnread}{KeyPart.Of(id)}";

    public static string Chunk(long seq, long sub) => string.Create(CultureInfo.InvariantCulture, $"{seq:D12}#{sub:D10}");

    /// <summary>By time and then by id, as far as ids are plain.</summary>
    public static string At(DateTimeOffset at, RunId run) => $"{At(at)}#{KeyPart.Of(run.Value)}";

    /// <summary>Before every key of the moment.</summary>
    public static string At(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString("D15", CultureInfo.InvariantCulture);

    /// <summary>After every key of the moment, and before all of the next.</summary>
    public static string After(DateTimeOffset at) => $"{At(at)}$";

    public static string Due(string what, RunId run) => Due(what, KeyPart.Shard(run.Value, Shards));

    public static string Due(string what, int shard) => string.Create(CultureInfo.InvariantCulture, $"{what}#{shard}");
}

/// <summary>Partitions of by-due.</summary>
internal static class DueKinds
{
    public const string Queued = "queued";

    /// <summary>Runs that wait or that somebody has.</summary>
    public const string Open = "open";

    public const string Ended = "ended";
    public const string Chunk = "chunk";
    public const string Staged = "staged";
}
