using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Amazon.Runtime;
using Penstock.Contracts;

namespace Penstock.Aws.Tests;

/// <summary>What can go wrong between us and DynamoDB, of which an emulator does nothing.</summary>
internal enum Fault
{
    /// <summary>The table or the account is too busy; nothing was done.</summary>
    Throttled,

    /// <summary>As <see cref="Throttled"/>, by its older name.</summary>
    ThroughputExceeded,

    /// <summary>Another transaction is on the items; nothing was done.</summary>
    Conflict,

    /// <summary>It was done, and the answer is an error of the server.</summary>
    AnswerLost,

    /// <summary>It was done, and the connection broke.</summary>
    ConnectionLost,

    /// <summary>Half of what was asked for is answered.</summary>
    Unprocessed,
}

/// <summary>Puts faults between the SDK and the emulator.</summary>
/// <param name="decide">By the operation's name, such as <c>TransactWriteItems</c>; null lets it pass.</param>
internal sealed class FaultyHttp(Func<string, Fault?> decide) : HttpClientFactory
{
    private readonly ConcurrentDictionary<Fault, int> _made = new();
    private Meanwhile? _meanwhile;

    /// <summary>How many of each were made.</summary>
    public IReadOnlyDictionary<Fault, int> Made => _made;

    /// <summary>One call in <paramref name="oneIn"/> meets a fault that can happen to it, the same calls for the same seed and order.</summary>
    public static FaultyHttp Random(ulong seed, int oneIn)
    {
        var (source, gate) = (new SeededSource(seed), new Lock());
        return new FaultyHttp(operation =>
        {
            lock (gate)
            {
                if (!source.OneIn(oneIn)) return null;
                return operation switch
                {
                    "TransactWriteItems" => source.Pick(Fault.Throttled, Fault.ThroughputExceeded, Fault.Conflict, Fault.AnswerLost, Fault.ConnectionLost),
                    "BatchGetItem" => source.Pick(Fault.Throttled, Fault.ThroughputExceeded, Fault.Unprocessed),
                    "GetItem" or "Query" or "PutItem" or "UpdateItem" => source.Pick(Fault.Throttled, Fault.ThroughputExceeded, Fault.AnswerLost, Fault.ConnectionLost),
                    _ => null,
                };
            }
        });
    }

    /// <summary>The first <paramref name="times"/> calls of an operation.</summary>
    public static FaultyHttp First(string operation, Fault fault, int times)
    {
        var left = times;
        return new FaultyHttp(called => called == operation && Interlocked.Decrement(ref left) >= 0 ? fault : null);
    }

    /// <summary>What another does between this node's reads and its next transaction.</summary>
    public void BeforeNextTransaction(Func<Task> meanwhile) => BeforeNext("TransactWriteItems", meanwhile);

    /// <summary>What another does just before the next call of an operation.</summary>
    public void BeforeNext(string operation, Func<Task> meanwhile) => _meanwhile = new Meanwhile(operation, meanwhile);

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => new(new Handler(this));

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    private static HttpResponseMessage Refuse(HttpStatusCode status, string type, string? reasons = null) => new(status)
    {
        Content = new StringContent($$"""{"__type":"com.amazonaws.dynamodb.v20120810#{{type}}","message":"made by a test"{{reasons}}}""", Encoding.UTF8, "application/x-amz-json-1.0"),
    };

    private sealed record Meanwhile(string Operation, Func<Task> RunAsync);

    private sealed class Handler(FaultyHttp owner) : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var operation = request.Headers.GetValues("X-Amz-Target").Single().Split('.')[^1];
            if (owner._meanwhile?.Operation == operation && Interlocked.Exchange(ref owner._meanwhile, null) is { } meanwhile) await meanwhile.RunAsync();
            var fault = owner.Decide(operation);
            switch (fault)
            {
                case null:
                    return await base.SendAsync(request, cancellationToken);
                case Fault.Throttled:
                    return Refuse(HttpStatusCode.BadRequest, "ThrottlingException");
                case Fault.ThroughputExceeded:
                    return Refuse(HttpStatusCode.BadRequest, "ProvisionedThroughputExceededException");
                case Fault.Conflict:
                    var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
                    var reasons = string.Join(',', body["TransactItems"]!.AsArray().Select((_, i) => i == 0 ? """{"Code":"TransactionConflict","Message":"made by a test"}""" : """{"Code":"None"}"""));
                    return Refuse(HttpStatusCode.BadRequest, "TransactionCanceledException", $$""","CancellationReasons":[{{reasons}}]""");
                case Fault.Unprocessed:
                    return await HalfAsync(request, cancellationToken);
                default:
                    using (await base.SendAsync(request, cancellationToken))
                    {
                        return fault == Fault.AnswerLost ? Refuse(HttpStatusCode.InternalServerError, "InternalServerError") : throw new HttpRequestException("made by a test");
                    }
            }
        }

        /// <summary>The emulator gets the first half of the keys (rounded up), the client the rest back.</summary>
        private async Task<HttpResponseMessage> HalfAsync(HttpRequestMessage request, CancellationToken ct)
        {
            var body = JsonNode.Parse(await request.Content!.ReadAsStringAsync(ct))!;
            var (table, wanted) = body["RequestItems"]!.AsObject().Single();
            var keys = wanted!["Keys"]!.AsArray();
            var half = (keys.Count + 1) / 2;
            var rest = keys.Skip(half).Select(key => key!.DeepClone()).ToArray();
            while (keys.Count > half) keys.RemoveAt(keys.Count - 1);
            var type = request.Content.Headers.ContentType;
            request.Content = new StringContent(body.ToJsonString()) { Headers = { ContentType = type } };
            using var answer = await base.SendAsync(request, ct);
            var found = JsonNode.Parse(await answer.Content.ReadAsStringAsync(ct))!;
            if (rest.Length > 0) found["UnprocessedKeys"] = new JsonObject { [table] = new JsonObject { ["Keys"] = new JsonArray(rest), ["ConsistentRead"] = true } };
            return new HttpResponseMessage(answer.StatusCode) { Content = new StringContent(found.ToJsonString(), Encoding.UTF8, "application/x-amz-json-1.0") };
        }
    }

    private Fault? Decide(string operation)
    {
        var fault = decide(operation);
        if (fault is { } made) _made.AddOrUpdate(made, 1, (_, count) => count + 1);
        return fault;
    }
}
