using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>What is known of the request being answered; made by <see cref="RequestEdge"/>.</summary>
internal sealed class RequestScope(RequestId id, long startedAt)
{
    public RequestId Id { get; } = id;

    /// <summary>Timestamp of the injected clock, for elapsed time.</summary>
    public long StartedAt { get; } = startedAt;

    /// <summary>The key that authenticated, for the request log.</summary>
    public KeyId? Key { get; set; }

    /// <summary>True once a line about this request was written, so that each request has one and not two.</summary>
    public bool Logged { get; set; }

    /// <summary>True where the answer began and ended in an error of its own dialect: its status says nothing of that.</summary>
    public bool Incomplete { get; set; }

    /// <summary>The job whose call this is, where it is one; what the call starts is named after it, so that it is started once.</summary>
    public string? Job { get; init; }

    /// <summary>What was booked for it so far.</summary>
    public Money Spent { get; private set; }

    /// <summary>By one call after the other.</summary>
    public void Spend(Money cost) => Spent += cost;

    public static RequestScope Of(HttpContext http) => http.Features.GetRequiredFeature<RequestScope>();
}
